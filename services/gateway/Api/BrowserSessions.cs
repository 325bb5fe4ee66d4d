using DaprPlatform.Contracts.Users;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.ServiceDefaults.Rpc;
using Grpc.Core;

namespace DaprPlatform.Gateway.Api;

/// <summary>The cookie with the refresh token, and its exchange.</summary>
/// <param name="accounts">Who exchanges it.</param>
/// <param name="lifetime">Of the cookie; the token in it may end earlier.</param>
internal sealed class BrowserSessions(IAccounts accounts, TimeSpan lifetime)
{
    private const string Cookie = "refresh_token";

    public static void AddTo(WebApplicationBuilder builder)
    {
        var hours = builder.Configuration.GetValue("SESSION_COOKIE_HOURS", 168);
        if (hours is < 1 or > 8760)
            throw new InvalidOperationException("SESSION_COOKIE_HOURS must be 1 to 8760.");
        builder.Services.AddSingleton(provider => new BrowserSessions(provider.GetRequiredService<IAccounts>(), TimeSpan.FromHours(hours)));
    }

    public string? TokenOf(HttpRequest request) => request.Cookies[Cookie] is { Length: > 0 } token ? token : null;

    public void Remember(HttpContext context, string token) => context.Response.Cookies.Append(Cookie, token, Options(context.Request, lifetime));

    public void Forget(HttpContext context) => context.Response.Cookies.Delete(Cookie, Options(context.Request, null));

    /// <summary>True when the token will never be good again, so that its cookie is of no use.</summary>
    public static bool IsOver(Exception e) =>
        e is ProblemException { Status: StatusCodes.Status401Unauthorized } || (e is RpcException rpc && RpcProblems.FromRpc(rpc).Status == StatusCodes.Status401Unauthorized);

    /// <summary>
    /// Exchanges a refresh token. A browser that leaves a page while it is refreshed may never see the answer and comes with the old cookie, as does a tab that asks at the same
    /// moment as another. So users is asked for leniency, whichever replica of the gateway they come to; and the exchange goes on when its caller has gone.
    /// </summary>
    public Task<Session> RefreshAsync(string token) => accounts.RefreshAsync(new RefreshRequest { RefreshToken = token, Lenient = true }, CancellationToken.None);

    private static CookieOptions Options(HttpRequest request, TimeSpan? age) => new()
    {
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        // A proxy that ends TLS says so; whoever says it without one only keeps the cookie from himself.
        Secure = request.IsHttps || string.Equals(request.Headers["X-Forwarded-Proto"], "https", StringComparison.OrdinalIgnoreCase),
        Path = BrowserSessionApi.Path,
        MaxAge = age,
        IsEssential = true,
    };
}
