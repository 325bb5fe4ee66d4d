namespace DaprPlatform.Cli.OpsConsole;

/// <summary>A refusal; answered as problem details (RFC 9457).</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="type">The last part of the problem's type: <c>about:console/{type}</c>.</param>
/// <param name="detail">For a person; holds no secret.</param>
internal sealed class ConsoleProblem(int status, string type, string detail) : Exception(detail)
{
    public int Status => status;

    public string Type => type;

    public static ConsoleProblem NotFound(string detail) => new(404, "not-found", detail);

    public static ConsoleProblem BadRequest(string detail) => new(400, "bad-request", detail);

    public static ConsoleProblem Conflict(string detail) => new(409, "conflict", detail);

    /// <summary>What an If-Match names is not what is there.</summary>
    public static ConsoleProblem Stale(string detail) => new(412, "stale", detail);

    /// <summary>It is not here now: an app that is stopped, a server that does not answer.</summary>
    public static ConsoleProblem Unavailable(string detail) => new(503, "unavailable", detail);
}
