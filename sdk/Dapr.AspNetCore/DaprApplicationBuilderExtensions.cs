using Dapr;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Unwraps cloud events.</summary>
public static class DaprApplicationBuilderExtensions
{
    /// <summary>Requests of type <c>application/cloudevents+json</c> reach endpoints as their data alone.</summary>
    public static IApplicationBuilder UseCloudEvents(this IApplicationBuilder builder) => UseCloudEvents(builder, new CloudEventsMiddlewareOptions());

    /// <summary>Requests of type <c>application/cloudevents+json</c> reach endpoints as their data alone.</summary>
    public static IApplicationBuilder UseCloudEvents(this IApplicationBuilder builder, CloudEventsMiddlewareOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        return builder.UseMiddleware<CloudEventsMiddleware>(options);
    }
}
