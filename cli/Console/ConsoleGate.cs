using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What stands before every endpoint: headers of safety, the Host, the origin of changes, who asks and what they may; and what becomes of exceptions.</summary>
internal sealed class ConsoleGate(ConsoleSystem system, ConsoleDoor door)
{
    public const string ContentSecurityPolicy =
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    public const string ChangeHeader = "X-Console";
    private static readonly ConsoleUser Command = new("command", ConsoleRole.Admin);
    private static readonly ConsoleUser Local = new("local", ConsoleRole.Admin);

    public async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.XFrameOptions = "DENY";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        try
        {
            // What comes in for the collector of traces has a token of its own.
            if (context.GetEndpoint()?.Metadata.GetMetadata<OwnToken>() is null)
                Admit(context);
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Abort();
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await AnswerAsync(context, e);
        }
    }

    internal static Task WriteProblemAsync(HttpContext context, int status, string type, string detail)
    {
        context.Response.StatusCode = status;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.ContentType = "application/problem+json";
        return JsonSerializer.SerializeAsync(context.Response.Body, new { type = $"about:console/{type}", title = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status), status, detail },
            ConsoleJson.Options, context.RequestAborted);
    }

    private void Admit(HttpContext context)
    {
        if (door.Local)
        {
            context.SetUser(Command);
            return;
        }

        if (!door.Knows(context.Request.Host))
            throw new ConsoleProblem(StatusCodes.Status421MisdirectedRequest, "unknown-host", "The console does not answer to this Host.");
        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
            RefuseForeign(context.Request);
        var user = system.SignInRequired(door) ? system.Sessions.Find(context.Request.Cookies[Sessions.Cookie]) : Local;
        if (user is not null)
            context.SetUser(user);
        if (context.GetEndpoint() is not { } endpoint || endpoint.Metadata.GetMetadata<OpenToAll>() is not null)
            return;
        if (endpoint.Metadata.GetMetadata<OpenToPages>() is not null && system.Pages.IsBuilt && StaticPages.WantsPage(context.Request))
            return;
        if (user is null)
            throw new ConsoleProblem(StatusCodes.Status401Unauthorized, "sign-in", "Sign in first.");
        var required = endpoint.Metadata.GetMetadata<RequiredRole>()?.Role ?? ConsoleRole.Admin;
        if (user.Role < required)
            throw new ConsoleProblem(StatusCodes.Status403Forbidden, "role", $"This needs the role {required.ToString().ToLowerInvariant()}; {user.Name} is {user.Role.ToString().ToLowerInvariant()}.");
    }

    // A page of somebody else's can send forms and simple requests here; it can neither set the header nor hide where it comes from.
    private static void RefuseForeign(HttpRequest request)
    {
        if (request.Headers[ChangeHeader] != "1")
            throw new ConsoleProblem(StatusCodes.Status403Forbidden, "csrf", $"A change needs the header {ChangeHeader}: 1.");
        if (request.Headers.Origin is [{ Length: > 0 } origin, ..] && !origin.Equals(UriHelper.BuildAbsolute(request.Scheme, request.Host).TrimEnd('/'), StringComparison.OrdinalIgnoreCase))
            throw new ConsoleProblem(StatusCodes.Status403Forbidden, "csrf", "A change from another origin is refused.");
        if (request.Headers["Sec-Fetch-Site"] is [{ Length: > 0 } site, ..] && site is not ("same-origin" or "none"))
            throw new ConsoleProblem(StatusCodes.Status403Forbidden, "csrf", "A change from another site is refused.");
    }

    private Task AnswerAsync(HttpContext context, Exception e)
    {
        switch (e)
        {
            case ConsoleProblem problem:
                return WriteProblemAsync(context, problem.Status, problem.Type, problem.Message);
            case CommandException:
                return WriteProblemAsync(context, StatusCodes.Status409Conflict, "conflict", e.Message);
            case BadHttpRequestException bad:
                return WriteProblemAsync(context, bad.StatusCode, "bad-request", bad.Message);
            case JsonException:
                return WriteProblemAsync(context, StatusCodes.Status400BadRequest, "bad-request", e.Message);
            default:
                system.Stack.Events.Add(Control.EventKind.Problem, $"the console failed at {context.Request.Method} {context.Request.Path}: {e.GetType().Name}: {e.Message}");
                return WriteProblemAsync(context, StatusCodes.Status500InternalServerError, "internal", "The console failed; the platform's log says why.");
        }
    }
}

/// <summary>An endpoint that checks a token of its own instead of a session.</summary>
internal sealed record OwnToken;

/// <summary>Where requests come in.</summary>
/// <param name="Local">The control socket: only this account can open it.</param>
/// <param name="Address">What the console listens on.</param>
/// <param name="HostName">A name that it answers to beside addresses and localhost.</param>
internal sealed record ConsoleDoor(bool Local, IPAddress Address, string? HostName = null)
{
    public static ConsoleDoor Socket { get; } = new(true, IPAddress.Loopback);

    public bool Loopback => Local || IPAddress.IsLoopback(Address);

    /// <summary>A name that resolves to this machine is how a foreign page gets around the rule of the same origin; an address cannot be such a name.</summary>
    public bool Knows(HostString host)
    {
        var name = host.Host.Trim('[', ']');
        if (IPAddress.TryParse(name, out var address))
            return !Loopback || IPAddress.IsLoopback(address);
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (HostName is { Length: > 0 } own && name.Equals(own, StringComparison.OrdinalIgnoreCase));
    }
}
