using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using DaprPlatform.Contracts.Users;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.ServiceDefaults.Rpc;
using Grpc.Core;

namespace DaprPlatform.Gateway.Api;

/// <summary>The cookie with the refresh token, and its exchange.</summary>
/// <param name="accounts">Who exchanges it.</param>
/// <param name="lifetime">Of the cookie; the token in it may end earlier.</param>
/// <param name="time">For the moment in which an answer is given again.</param>
internal sealed class BrowserSessions(IAccounts accounts, TimeSpan lifetime, TimeProvider time)
{
    private const string Cookie = "refresh_token";
    private const int MostRemembered = 10_000;
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<string, Exchange> _exchanges = new(StringComparer.Ordinal);

    public static void AddTo(WebApplicationBuilder builder)
    {
        var hours = builder.Configuration.GetValue("SESSION_COOKIE_HOURS", 168);
        if (hours is < 1 or > 8760)
            throw new InvalidOperationException("SESSION_COOKIE_HOURS must be 1 to 8760.");
        builder.Services.AddSingleton(provider => new BrowserSessions(provider.GetRequiredService<IAccounts>(), TimeSpan.FromHours(hours), provider.GetRequiredService<TimeProvider>()));
    }

    public string? TokenOf(HttpRequest request) => request.Cookies[Cookie] is { Length: > 0 } token ? token : null;

    public void Remember(HttpContext context, string token) => context.Response.Cookies.Append(Cookie, token, Options(context.Request, lifetime));

    public void Forget(HttpContext context)
    {
        context.Response.Cookies.Delete(Cookie, Options(context.Request, null));
        if (TokenOf(context.Request) is not { } token)
            return;
        // What led to the session that ends here must not be given again.
        foreach (var entry in _exchanges)
            if (entry.Value.Session.Value is { IsCompletedSuccessfully: true } done && done.Result.RefreshToken == token)
                _exchanges.TryRemove(entry);
    }

    /// <summary>True when the token will never be good again, so that its cookie is of no use.</summary>
    public static bool IsOver(Exception e) =>
        e is ProblemException { Status: StatusCodes.Status401Unauthorized } || (e is RpcException rpc && RpcProblems.FromRpc(rpc).Status == StatusCodes.Status401Unauthorized);

    /// <summary>
    /// Exchanges a refresh token. A browser that leaves a page while it is refreshed may never see the answer and comes with the old cookie, which users takes for a stolen one.
    /// So the answer is given again for a moment; and the exchange goes on when its caller has gone.
    /// </summary>
    public async Task<Session> RefreshAsync(string token)
    {
        var now = time.GetUtcNow();
        if (_exchanges.Count >= MostRemembered)
            Tidy(now, everything: true);
        var key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        var mine = new Exchange(now + Again, new Lazy<Task<Session>>(() => ExchangeAsync(token)));
        var exchange = _exchanges.AddOrUpdate(key, mine, (_, known) => known.Until > now ? known : mine);
        if (ReferenceEquals(exchange, mine))
            Tidy(now, everything: false);
        try
        {
            return await exchange.Session.Value;
        }
        catch (Exception e) when (!IsOver(e))
        {
            // Nothing was exchanged, or nobody knows: the next one asks.
            _exchanges.TryRemove(new KeyValuePair<string, Exchange>(key, exchange));
            throw;
        }
    }

    // Asynchronous, so that a refusal is in the task and not remembered by the Lazy around it.
    private async Task<Session> ExchangeAsync(string token) => await accounts.RefreshAsync(new RefreshRequest { RefreshToken = token }, CancellationToken.None);

    private void Tidy(DateTimeOffset now, bool everything)
    {
        foreach (var entry in _exchanges)
            if (everything ? entry.Value.Session.Value.IsCompleted : entry.Value.Until <= now)
                _exchanges.TryRemove(entry);
    }

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

    private sealed record Exchange(DateTimeOffset Until, Lazy<Task<Session>> Session);
}
