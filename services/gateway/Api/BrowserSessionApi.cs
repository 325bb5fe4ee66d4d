using DaprPlatform.Contracts.Users;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace DaprPlatform.Gateway.Api;

/// <summary>
/// Sign-in for pages of this origin: the refresh token is in a cookie that no script can read and that is sent to these routes alone; the page holds the access token
/// in its memory. The routes with the refresh token in the body stay as they are, for clients that are no browsers.
/// </summary>
internal static class BrowserSessionApi
{
    public const string Path = "/api/v1/auth/session";

    public static IEndpointRouteBuilder MapBrowserSessionApi(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup(Path).WithTags("auth").AddEndpointFilter<OwnPagesOnly>()
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status403Forbidden);
        group.MapPost("", SignInAsync).WithName("SignInBrowser").WithSummary("Sign in; the refresh token is set as a cookie")
            .ProducesProblem(StatusCodes.Status401Unauthorized).ProducesProblem(StatusCodes.Status429TooManyRequests);
        group.MapPost("/register", RegisterAsync).WithName("RegisterBrowser").WithSummary("Create an account and sign in; the refresh token is set as a cookie")
            .ProducesProblem(StatusCodes.Status409Conflict);
        group.MapPost("/refresh", RefreshAsync).WithName("RefreshBrowser").WithSummary("A new access token for the cookie, which is replaced; 204 when nobody is signed in")
            .ProducesProblem(StatusCodes.Status401Unauthorized);
        group.MapDelete("", SignOutAsync).WithName("SignOutBrowser").WithSummary("Make the cookie's refresh token, or all of the user's, unusable");
        return app;
    }

    private static async Task<Ok<Envelope<BrowserSessionView>>> SignInAsync(
        LoginBody body, HttpContext context, IAccounts accounts, BrowserSessions sessions, CancellationToken cancellationToken)
    {
        var session = await accounts.LoginAsync(new LoginRequest { Email = body.Email ?? "", Password = body.Password ?? "" }, cancellationToken);
        return TypedResults.Ok(Answer(context, sessions, session));
    }

    private static async Task<Created<Envelope<BrowserSessionView>>> RegisterAsync(
        RegisterBody body, HttpContext context, IAccounts accounts, BrowserSessions sessions, CancellationToken cancellationToken)
    {
        var request = new RegisterRequest
        {
            Email = body.Email ?? "",
            Password = body.Password ?? "",
            FirstName = body.FirstName ?? "",
            LastName = body.LastName ?? "",
        };
        var session = await accounts.RegisterAsync(request, cancellationToken);
        return TypedResults.Created("/api/v1/users/profile", Answer(context, sessions, session));
    }

    private static async Task<Results<Ok<Envelope<BrowserSessionView>>, NoContent>> RefreshAsync(HttpContext context, BrowserSessions sessions)
    {
        if (sessions.TokenOf(context.Request) is not { } token)
            return TypedResults.NoContent();
        try
        {
            return TypedResults.Ok(Answer(context, sessions, await sessions.RefreshAsync(token)));
        }
        catch (Exception e) when (BrowserSessions.IsOver(e))
        {
            // The problem is written by who clears what was set before.
            context.Response.OnStarting(() =>
            {
                sessions.Forget(context);
                return Task.CompletedTask;
            });
            throw;
        }
    }

    private static async Task<NoContent> SignOutAsync(bool? everywhere, HttpContext context, IAccounts accounts, BrowserSessions sessions, CancellationToken cancellationToken)
    {
        if (sessions.TokenOf(context.Request) is { } token)
            await accounts.LogoutAsync(new LogoutRequest { RefreshToken = token, Everywhere = everywhere ?? false }, cancellationToken);
        sessions.Forget(context);
        return TypedResults.NoContent();
    }

    private static Envelope<BrowserSessionView> Answer(HttpContext context, BrowserSessions sessions, Session session)
    {
        sessions.Remember(context, session.RefreshToken);
        context.Response.Headers.CacheControl = "no-store";
        var view = SessionView.From(session);
        return new Envelope<BrowserSessionView>(new BrowserSessionView(view.User, view.AccessToken, view.TokenType, view.ExpiresIn));
    }

    /// <summary>
    /// A page of another origin can send neither this header without being allowed to, nor its own Origin as another. SameSite=Strict keeps the cookie from its requests besides.
    /// </summary>
    private sealed class OwnPagesOnly : IEndpointFilter
    {
        private const string Proof = "X-Requested-By";

        public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
        {
            var request = context.HttpContext.Request;
            if (string.IsNullOrWhiteSpace(request.Headers[Proof]))
                throw Refusals.Validation(Proof, "is required, with any value");
            if (request.Headers["Sec-Fetch-Site"].ToString() is "cross-site" or "same-site" || (request.Headers.Origin.ToString() is { Length: > 0 } origin && !IsOwn(origin, request)))
                throw new ProblemException(StatusCodes.Status403Forbidden, "foreign-origin", "Not allowed", "Sessions of browsers are for pages of this origin.");
            return next(context);
        }

        // By host and port alone: before a proxy that ends TLS the scheme is another.
        private static bool IsOwn(string origin, HttpRequest request) =>
            Uri.TryCreate(origin, UriKind.Absolute, out var theirs)
            && Uri.TryCreate($"{theirs.Scheme}://{request.Host}", UriKind.Absolute, out var ours)
            && string.Equals(theirs.Authority, ours.Authority, StringComparison.OrdinalIgnoreCase);
    }
}

/// <param name="ExpiresIn">Seconds the access token is valid from now.</param>
public sealed record BrowserSessionView(UserView User, string AccessToken, string TokenType, int ExpiresIn);
