using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Dapr.Jobs.Extensions;

/// <summary>Takes due jobs.</summary>
public static class EndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps <c>POST /job/{jobName}</c>. Parameters of the handler are bound by type: a string is the job's name, <c>ReadOnlyMemory&lt;byte&gt;</c> its payload,
    /// a cancellation token that of the request; all others are services. What it returns is awaited and dropped; an exception lets the sidecar try again.
    /// </summary>
    /// <param name="endpoints">The app.</param>
    /// <param name="action">The handler.</param>
    /// <param name="timeout">After this the handler's token is cancelled; null: only when the sidecar hangs up.</param>
    public static IEndpointRouteBuilder MapDaprScheduledJobHandler(this IEndpointRouteBuilder endpoints, Delegate action, TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(action);
        var parameters = action.Method.GetParameters();
        endpoints.MapPost("/job/{jobName}", async context =>
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
            if (timeout is { } limit)
                stop.CancelAfter(limit);

            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, stop.Token).ConfigureAwait(false);
            ReadOnlyMemory<byte> payload = body.GetBuffer().AsMemory(0, (int)body.Length);

            var arguments = Array.ConvertAll(parameters, p => Argument(p.ParameterType, context, payload, stop.Token));
            await Finish(action.Method.Invoke(action.Target, BindingFlags.DoNotWrapExceptions, null, arguments, null)).ConfigureAwait(false);
        }).ExcludeFromDescription();
        return endpoints;
    }

    static object? Argument(Type type, HttpContext context, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        if (type == typeof(string))
            return (string?)context.Request.RouteValues["jobName"];
        if (type == typeof(ReadOnlyMemory<byte>))
            return payload;
        if (type == typeof(CancellationToken))
            return cancellationToken;
        return context.RequestServices.GetRequiredService(type);
    }

    static Task Finish(object? result) => result switch
    {
        Task task => task,
        ValueTask task => task.AsTask(),
        not null when result.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(ValueTask<>) =>
            (Task)type.GetMethod(nameof(ValueTask<>.AsTask))!.Invoke(result, null)!,
        _ => Task.CompletedTask,
    };
}
