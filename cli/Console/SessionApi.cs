using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole;

/// <param name="SignInRequired">False on this machine until there is an account.</param>
internal sealed record SessionAnswer(bool SignInRequired, bool SignedIn, string? Name, ConsoleRole? Role, string Version, string? StorefrontUrl);

internal sealed record SignIn(string Name, string Password);

internal static class SessionApi
{
    private const int LongestInput = 1000;
    private static readonly string Version = typeof(SessionApi).Assembly.GetName().Version?.ToString(3) ?? "";

    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/session", Get).WithMetadata(new OpenToAll()).WithName("getSession").WithSummary("Who is signed in.").WithTags("Session").Produces<SessionAnswer>();
        api.MapPost("/session", PostAsync).WithMetadata(new OpenToAll()).WithName("signIn").WithSummary("Signs in; the session is a cookie.").WithTags("Session").Produces(204).ProducesProblem(401);
        api.MapDelete("/session", Delete).WithMetadata(new OpenToAll()).WithName("signOut").WithSummary("Signs out.").WithTags("Session").Produces(204);
    }

    private static IResult Get(HttpContext context, ConsoleDoor door)
    {
        var system = context.Console();
        var required = !door.Local && system.SignInRequired(door);
        var user = required ? system.Sessions.Find(context.Request.Cookies[Sessions.Cookie]) : context.User();
        var gateway = system.File.Apps.FirstOrDefault(a => a.AppId == "gateway")?.AppPort?.Number;
        return TypedResults.Ok(new SessionAnswer(required, user is not null, user?.Name, user?.Role, Version, gateway is null ? null : string.Create(CultureInfo.InvariantCulture, $"http://localhost:{gateway}/")));
    }

    private static async Task<IResult> PostAsync(SignIn asked, HttpContext context)
    {
        if (asked.Name is null or { Length: > LongestInput } || asked.Password is null or { Length: > LongestInput })
            throw ConsoleProblem.BadRequest("name and password are texts.");
        var (token, retry) = await context.Console().Sessions.SignInAsync(asked.Name, asked.Password, context.Connection.RemoteIpAddress?.ToString() ?? "", context.RequestAborted);
        if (retry is { } wait)
        {
            context.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            throw new ConsoleProblem(StatusCodes.Status401Unauthorized, "locked", "Too many attempts; wait a minute.");
        }

        if (token is null)
            throw new ConsoleProblem(StatusCodes.Status401Unauthorized, "credentials", "There is no such name with this password.");
        context.Response.Cookies.Append(Sessions.Cookie, token, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, Path = "/", IsEssential = true });
        return TypedResults.NoContent();
    }

    private static IResult Delete(HttpContext context)
    {
        context.Console().Sessions.SignOut(context.Request.Cookies[Sessions.Cookie]);
        context.Response.Cookies.Delete(Sessions.Cookie, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Path = "/" });
        return TypedResults.NoContent();
    }
}
