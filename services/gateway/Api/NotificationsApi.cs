using System.Text.Json;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace DaprPlatform.Gateway.Api;

/// <summary>The messages sent to the signed-in user. notifications speaks HTTP, so this goes through the sidecar's HTTP invocation.</summary>
internal static class NotificationsApi
{
    public static IEndpointRouteBuilder MapNotificationsApi(this IEndpointRouteBuilder app)
    {
        app.MapGet("/api/v1/notifications", ListAsync).WithTags("notifications").WithName("ListNotifications").WithSummary("The user's last 50 messages, newest first")
            .RequireAuthorization(Policies.User).ProducesProblem(StatusCodes.Status401Unauthorized);
        return app;
    }

    private static async Task<Ok<Envelope<JsonElement>>> ListAsync(CurrentUser user, NotificationsClient notifications, CancellationToken cancellationToken) =>
        TypedResults.Ok(new Envelope<JsonElement>(await notifications.ListAsync(user.Id.ToString(), cancellationToken)));
}

internal sealed class NotificationsClient(HttpClient http)
{
    public async Task<JsonElement> ListAsync(string userId, CancellationToken cancellationToken)
    {
        try
        {
            return await http.GetFromJsonAsync<JsonElement>($"/messages/{userId}", cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw Refusals.Unavailable("The notifications service", e);
        }
    }
}
