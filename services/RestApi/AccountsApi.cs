using DaprPlatform.Contracts.Users;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.RestApi;

/// <summary>Sign-up, sign-in and the signed-in user's profile.</summary>
public static class AccountsApi
{
    public static IEndpointRouteBuilder MapAccountsApi(this IEndpointRouteBuilder app)
    {
        var auth = app.MapGroup("/api/v1/auth").WithTags("auth");
        auth.MapPost("/register", RegisterAsync).WithName("Register").WithSummary("Create an account and sign in")
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status409Conflict);
        auth.MapPost("/login", LoginAsync).WithName("Login").WithSummary("Sign in")
            .ProducesProblem(StatusCodes.Status401Unauthorized).ProducesProblem(StatusCodes.Status429TooManyRequests);
        auth.MapPost("/refresh", RefreshAsync).WithName("Refresh").WithSummary("Exchange a refresh token for a new session; each can be used once")
            .ProducesProblem(StatusCodes.Status401Unauthorized);
        auth.MapPost("/logout", LogoutAsync).WithName("Logout").WithSummary("Make the refresh token, or all of the user's, unusable");
        app.MapGet("/.well-known/jwks.json", GetKeysAsync).WithName("GetKeys").WithSummary("Public keys of the access tokens").WithTags("auth");

        var profile = app.MapGroup("/api/v1/users/profile").WithTags("users").RequireAuthorization(Policies.User).ProducesProblem(StatusCodes.Status401Unauthorized);
        profile.MapGet("", GetProfileAsync).WithName("GetProfile").WithSummary("The signed-in user");
        profile.MapPut("", UpdateProfileAsync).WithName("UpdateProfile").WithSummary("Change names, phone and address; needs If-Match")
            .ProducesProblem(StatusCodes.Status412PreconditionFailed).ProducesProblem(StatusCodes.Status428PreconditionRequired);
        return app;
    }

    private static async Task<Created<Envelope<SessionView>>> RegisterAsync(RegisterBody body, IAccounts accounts, CancellationToken cancellationToken)
    {
        var request = new RegisterRequest
        {
            Email = body.Email ?? "",
            Password = body.Password ?? "",
            FirstName = body.FirstName ?? "",
            LastName = body.LastName ?? "",
        };
        return TypedResults.Created("/api/v1/users/profile", Envelope.Of(SessionView.From(await accounts.RegisterAsync(request, cancellationToken))));
    }

    private static async Task<Ok<Envelope<SessionView>>> LoginAsync(LoginBody body, IAccounts accounts, CancellationToken cancellationToken) =>
        TypedResults.Ok(Envelope.Of(SessionView.From(
            await accounts.LoginAsync(new LoginRequest { Email = body.Email ?? "", Password = body.Password ?? "" }, cancellationToken))));

    private static async Task<Ok<Envelope<SessionView>>> RefreshAsync(RefreshBody body, IAccounts accounts, CancellationToken cancellationToken) =>
        TypedResults.Ok(Envelope.Of(SessionView.From(
            await accounts.RefreshAsync(new RefreshRequest { RefreshToken = body.RefreshToken ?? "" }, cancellationToken))));

    private static async Task<NoContent> LogoutAsync(LogoutBody body, IAccounts accounts, CancellationToken cancellationToken)
    {
        await accounts.LogoutAsync(new LogoutRequest { RefreshToken = body.RefreshToken ?? "", Everywhere = body.Everywhere }, cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<ContentHttpResult> GetKeysAsync(IAccounts accounts, CancellationToken cancellationToken) =>
        TypedResults.Text((await accounts.GetKeysAsync(new GetKeysRequest(), cancellationToken)).JwksJson, "application/jwk-set+json");

    private static async Task<Ok<Envelope<UserView>>> GetProfileAsync(HttpContext context, IAccounts accounts, CancellationToken cancellationToken)
    {
        var profile = await accounts.GetProfileAsync(new GetProfileRequest(), cancellationToken);
        context.Response.Headers.ETag = profile.Etag;
        return TypedResults.Ok(Envelope.Of(UserView.From(profile)));
    }

    private static async Task<Ok<Envelope<UserView>>> UpdateProfileAsync(
        ProfileBody body, HttpContext context, IAccounts accounts, CancellationToken cancellationToken)
    {
        if (context.Request.Headers.IfMatch.ToString() is not { Length: > 0 } etag)
            throw Refusals.PreconditionRequired();
        var profile = await accounts.UpdateProfileAsync(
            new UpdateProfileRequest
            {
                FirstName = body.FirstName ?? "",
                LastName = body.LastName ?? "",
                Phone = body.Phone ?? "",
                Address = body.Address ?? "",
                IfMatch = etag,
            },
            cancellationToken);
        context.Response.Headers.ETag = profile.Etag;
        return TypedResults.Ok(Envelope.Of(UserView.From(profile)));
    }
}

public sealed record RegisterBody(string? Email, string? Password, string? FirstName, string? LastName);

public sealed record LoginBody(string? Email, string? Password);

public sealed record RefreshBody(string? RefreshToken);

public sealed record LogoutBody(string? RefreshToken, bool Everywhere = false);

public sealed record ProfileBody(string? FirstName, string? LastName, string? Phone, string? Address);

/// <param name="ExpiresIn">Seconds the access token is valid from now.</param>
public sealed record SessionView(UserView User, string AccessToken, string RefreshToken, string TokenType, int ExpiresIn)
{
    /// <summary>As the users service gave it.</summary>
    public static SessionView From(Session session) =>
        new(UserView.From(session.User), session.AccessToken, session.RefreshToken, "Bearer", session.ExpiresInSeconds);
}

public sealed record UserView(
    string Id, string Email, string FirstName, string LastName, string? Phone, string? Address, IReadOnlyList<string> Roles, DateTimeOffset CreatedAt)
{
    internal static UserView From(UserProfile user) =>
        new(
            user.Id,
            user.Email,
            user.FirstName,
            user.LastName,
            Envelope.NullIfEmpty(user.Phone),
            Envelope.NullIfEmpty(user.Address),
            user.Roles,
            user.CreatedAt.ToDateTimeOffset());
}
