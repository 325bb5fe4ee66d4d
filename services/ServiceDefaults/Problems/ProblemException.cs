namespace DaprPlatform.ServiceDefaults.Problems;

/// <summary>A refusal with its HTTP status and a stable code. Thrown by domain code, written as RFC 9457 problem or gRPC status at the border.</summary>
public sealed class ProblemException : Exception
{
    /// <param name="status">HTTP status, 400 to 599.</param>
    /// <param name="code">Stable, kebab-case; the problem's type is <c>urn:problem:</c> followed by it.</param>
    /// <param name="title">The same for every occurrence of the code.</param>
    /// <param name="detail">What was wrong this time. Goes to the caller: no secrets.</param>
    public ProblemException(int status, string code, string title, string? detail = null, Exception? inner = null)
        : base(detail ?? title, inner)
    {
        Status = status;
        Code = code;
        Title = title;
        Detail = detail;
    }

    public int Status { get; }

    public string Code { get; }

    public string Title { get; }

    public string? Detail { get; }

    /// <summary>Messages by field path, as the client wrote it: <c>items[0].quantity</c>.</summary>
    public IReadOnlyDictionary<string, string[]> Errors { get; init; } = EmptyErrors;

    /// <summary>Further members of the problem body.</summary>
    public IReadOnlyDictionary<string, string> Extensions { get; init; } = EmptyExtensions;

    /// <summary>Seconds for <c>Retry-After</c>.</summary>
    public int? RetryAfterSeconds { get; init; }

    private static readonly Dictionary<string, string[]> EmptyErrors = [];
    private static readonly Dictionary<string, string> EmptyExtensions = [];
}
