using System.Text.Json;
using System.Text.Json.Serialization;
using Dapr;
using Dapr.AspNetCore;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Tells the sidecar which topics the app takes.</summary>
public static class DaprEndpointRouteBuilderExtensions
{
    static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Maps <c>GET /dapr/subscribe</c>.</summary>
    public static IEndpointConventionBuilder MapSubscribeHandler(this IEndpointRouteBuilder endpoints) => Map(endpoints, null);

    /// <summary>Maps <c>GET /dapr/subscribe</c>, with options for all topics.</summary>
    public static IEndpointConventionBuilder MapSubscribeHandler(this IEndpointRouteBuilder endpoints, SubscribeOptions options) => Map(endpoints, options);

    static IEndpointConventionBuilder Map(IEndpointRouteBuilder endpoints, SubscribeOptions? options)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        return endpoints.MapGet("dapr/subscribe", (HttpContext context) =>
        {
            var source = context.RequestServices.GetRequiredService<EndpointDataSource>();
            return JsonSerializer.SerializeAsync(context.Response.Body, Subscriptions.Of(source.Endpoints, options), Json, context.RequestAborted);
        }).ExcludeFromDescription();
    }
}
