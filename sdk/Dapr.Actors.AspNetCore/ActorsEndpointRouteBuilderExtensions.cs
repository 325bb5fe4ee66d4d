using Dapr.Actors;
using Dapr.Actors.Communication;
using Dapr.Actors.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

public static class ActorsEndpointRouteBuilderExtensions
{
    /// <summary>Maps what the sidecar calls: the configuration, the actors, and <c>/healthz</c> unless the app has its own.</summary>
    /// <exception cref="InvalidOperationException">AddActors was not called.</exception>
    public static IEndpointConventionBuilder MapActorsHandlers(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var runtime = endpoints.ServiceProvider.GetService<ActorRuntime>()
            ?? throw new InvalidOperationException("The actor runtime is missing. Call AddActors when the services are set up.");

        return new Endpoints(
        [
            endpoints.MapGet("dapr/config", context =>
            {
                context.Response.ContentType = "application/json";
                return context.Response.Body.WriteAsync(runtime.Settings, context.RequestAborted).AsTask();
            }).WithDisplayName("Dapr Actors Config"),
            endpoints.MapDelete("actors/{actorTypeName}/{actorId}", context => Type(runtime, context).DeactivateAsync(Id(context)))
                .WithDisplayName("Dapr Actors Deactivation"),
            endpoints.MapPut("actors/{actorTypeName}/{actorId}/method/{methodName}", context => CallAsync(runtime, context))
                .WithDisplayName("Dapr Actors Invoke"),
            endpoints.MapPut("actors/{actorTypeName}/{actorId}/method/remind/{reminderName}", context => RemindAsync(runtime, context))
                .WithDisplayName("Dapr Actors Reminder"),
            endpoints.MapPut("actors/{actorTypeName}/{actorId}/method/timer/{timerName}", context => FireTimerAsync(runtime, context))
                .WithDisplayName("Dapr Actors Timer"),
            endpoints.MapHealthChecks("/healthz").AllowAnonymous().WithOrder(100).WithDisplayName("Dapr Healthz"),
        ]);
    }

    private static async Task CallAsync(ActorRuntime runtime, HttpContext context)
    {
        var type = Type(runtime, context);
        var body = await BodyAsync(context.Request);
        SetReentrancy(context.Request);
        CallResult result;
        if (context.Request.Headers.TryGetValue(RemoteHeaders.Request, out var header))
        {
            result = await type.CallRemoteAsync(Id(context), Value(context, "methodName"), header.ToString(), body, context.RequestAborted);
            if (result.ErrorHeader is { } error)
                context.Response.Headers[RemoteHeaders.Error] = error;
            context.Response.ContentType = "application/octet-stream";
        }
        else
        {
            result = await type.CallAsync(Id(context), Value(context, "methodName"), body, context.RequestAborted);
            if (result.Body.Length > 0)
                context.Response.ContentType = "application/json";
        }

        context.Response.ContentLength = result.Body.Length;
        await context.Response.Body.WriteAsync(result.Body, context.RequestAborted);
    }

    private static async Task RemindAsync(ActorRuntime runtime, HttpContext context)
    {
        var type = Type(runtime, context);
        var body = await BodyAsync(context.Request);
        SetReentrancy(context.Request);
        await type.RemindAsync(Id(context), Value(context, "reminderName"), body);
    }

    private static async Task FireTimerAsync(ActorRuntime runtime, HttpContext context)
    {
        var type = Type(runtime, context);
        var body = await BodyAsync(context.Request);
        SetReentrancy(context.Request);
        await type.FireTimerAsync(Id(context), Value(context, "timerName"), body);
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync("false", context.RequestAborted);
    }

    // Ends with the handler that calls this: it is an async method, whose changes of the flow its caller does not see.
    private static void SetReentrancy(HttpRequest request)
    {
        if (request.Headers.TryGetValue(Reentrancy.Header, out var id) && id.ToString() is { Length: > 0 } text)
            Reentrancy.Current = text;
    }

    private static ActorTypeHost Type(ActorRuntime runtime, HttpContext context) => runtime.TypeOf(Value(context, "actorTypeName"));

    private static ActorId Id(HttpContext context) => new(Value(context, "actorId"));

    private static string Value(HttpContext context, string name) => (string)context.Request.RouteValues[name]!;

    private static async Task<byte[]> BodyAsync(HttpRequest request)
    {
        if (request.ContentLength == 0)
            return [];
        using var buffer = new MemoryStream((int)(request.ContentLength ?? 0));
        await request.Body.CopyToAsync(buffer, request.HttpContext.RequestAborted);
        return buffer.Capacity == buffer.Length ? buffer.GetBuffer() : buffer.ToArray();
    }

    private sealed class Endpoints(IReadOnlyList<IEndpointConventionBuilder> all) : IEndpointConventionBuilder
    {
        public void Add(Action<EndpointBuilder> convention)
        {
            foreach (var endpoint in all)
                endpoint.Add(convention);
        }

        public void Finally(Action<EndpointBuilder> finallyConvention)
        {
            foreach (var endpoint in all)
                endpoint.Finally(finallyConvention);
        }
    }
}
