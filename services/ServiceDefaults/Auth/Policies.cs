using System.Security.Cryptography;
using System.Text;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.ServiceDefaults.Auth;

/// <summary>Names of authorization policies.</summary>
public static class Policies
{
    /// <summary>Any signed-in user.</summary>
    public const string User = "user";

    /// <summary>Role operator or admin.</summary>
    public const string Operator = "operator";

    /// <summary>The orders service itself, without a user.</summary>
    public const string CalledByOrders = "called-by-orders";

    /// <summary>The payments service itself, without a user.</summary>
    public const string CalledByPayments = "called-by-payments";

    /// <summary>The notifications service itself, without a user.</summary>
    public const string CalledByNotifications = "called-by-notifications";

    /// <exception cref="ProblemException">403: the call does not come from that app.</exception>
    public static void RequireCaller(HttpContext context, string appId)
    {
        if (!IsCalledBy(context.Request, appId))
            throw Refusals.Forbidden($"Only {appId} may call this.");
    }

    internal static void Add(AuthorizationBuilder builder)
    {
        builder.AddPolicy(User, policy => policy.RequireAuthenticatedUser());
        builder.AddPolicy(Operator, policy => policy.RequireAuthenticatedUser().RequireRole(Roles.Operator, Roles.Admin));
        builder.AddPolicy(CalledByOrders, policy => policy.RequireAssertion(context => context.Resource is HttpContext http && IsCalledBy(http.Request, "orders")));
        builder.AddPolicy(CalledByPayments, policy => policy.RequireAssertion(context => context.Resource is HttpContext http && IsCalledBy(http.Request, "payments")));
        builder.AddPolicy(
            CalledByNotifications, policy => policy.RequireAssertion(context => context.Resource is HttpContext http && IsCalledBy(http.Request, "notifications")));
    }

    /// <summary>
    /// The sidecar names the calling app in <c>dapr-caller-app-id</c> and leaves a value the caller sent beside its own, so there must be exactly one.
    /// Where somebody else can reach the app's port, APP_API_TOKEN proves that the call came through the sidecar.
    /// </summary>
    internal static bool IsCalledBy(HttpRequest request, string appId)
    {
        var caller = request.Headers["dapr-caller-app-id"];
        if (caller.Count != 1 || caller[0] != appId)
            return false;
        return Environment.GetEnvironmentVariable("APP_API_TOKEN") is not { Length: > 0 } token
            || CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(token), Encoding.UTF8.GetBytes(request.Headers["dapr-api-token"].ToString()));
    }
}
