using System.Text.Encodings.Web;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace DaprPlatform.ServiceDefaults.Auth;

/// <summary>Authenticates by <c>Authorization: Bearer</c>; refusals are problems.</summary>
internal sealed partial class BearerHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, JwtVerifier verifier)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    private const string Prefix = "Bearer ";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers[HeaderNames.Authorization];
        if (header.Count != 1 || header[0] is not { } text || !text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            return AuthenticateResult.NoResult();
        var (principal, reason) = await verifier.VerifyAsync(text[Prefix.Length..], Context.RequestAborted);
        if (principal is not null)
            return AuthenticateResult.Success(new AuthenticationTicket(principal, Scheme.Name));
        LogRefused(Logger, reason);
        return AuthenticateResult.Fail("The access token is not valid.");
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = Request.Headers.ContainsKey(HeaderNames.Authorization) ? "Bearer error=\"invalid_token\"" : "Bearer";
        return ProblemWriter.WriteAsync(Context, Refusals.Unauthorized("unauthorized", "The access token is missing or not valid."));
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        ProblemWriter.WriteAsync(Context, Refusals.Forbidden("The caller may not do this."));

    [LoggerMessage(1, LogLevel.Information, "Refused an access token: {Reason}")]
    private static partial void LogRefused(ILogger logger, string? reason);
}
