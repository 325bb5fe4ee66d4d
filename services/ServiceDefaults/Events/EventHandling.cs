using System.Diagnostics;
using System.Text.Json;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.ServiceDefaults.Events;

/// <summary>What became of a delivered event.</summary>
public enum EventOutcome
{
    /// <summary>Acted on; the changes in the context are saved together with the note that it was.</summary>
    Handled,

    /// <summary>Nothing to do for it, now or ever; nothing is saved.</summary>
    NoEffect,
}

/// <param name="Id">The CloudEvent's id.</param>
/// <param name="Type">Its type, with the version.</param>
/// <param name="Source">Who published it.</param>
/// <param name="TraceParent">Of a bulk delivery: the trace that the event is part of, where it says so. The call of a single delivery says it by itself.</param>
public sealed record EventContext(string Id, string Type, string Source, string? TraceParent = null)
{
    /// <summary>Goes on with the trace of an event among others; null where there is nothing to go on with.</summary>
    public Activity? Resume(string name) =>
        TraceParent is { } parent && ActivityContext.TryParse(parent, null, isRemote: true, out var trace)
            ? new Activity(name).SetParentId(trace.TraceId, trace.SpanId, trace.TraceFlags).Start()
            : null;
}

/// <summary>Reacts to one kind of event. Changes the service's context and does not save it; throws what should be tried again.</summary>
public interface IEventHandler<in TEvent>
    where TEvent : IIntegrationEvent
{
    Task<EventOutcome> HandleAsync(TEvent integrationEvent, EventContext context, CancellationToken cancellationToken);
}

/// <summary>The data of an event is not what its type says. Delivering it again would not help.</summary>
public sealed class MalformedEventException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Which handler takes a topic.</summary>
/// <param name="DispatchMany">Null: bulk deliveries are handled one event after the other.</param>
internal sealed record EventRoute(
    string Topic, Func<IServiceProvider, ReadOnlyMemory<byte>, EventContext, CancellationToken, Task> Dispatch, BatchDispatch? DispatchMany = null);

public static class EventHandling
{
    /// <summary>Delivers the topic of <typeparamref name="TEvent"/> to the handler, each event once: a repeated id is acknowledged and not handled.</summary>
    public static IServiceCollection AddEventHandler<TEvent, THandler, TContext>(this IServiceCollection services)
        where TEvent : IIntegrationEvent
        where THandler : class, IEventHandler<TEvent>
        where TContext : DbContext
    {
        services.AddScoped<THandler>();
        return services.AddSingleton(new EventRoute(TEvent.Topic, DispatchAsync<TEvent, THandler, TContext>));
    }

    /// <summary>Delivers the topic of <typeparamref name="TEvent"/> to a handler that is idempotent by itself, in a service without a database.</summary>
    public static IServiceCollection AddEventHandler<TEvent, THandler>(this IServiceCollection services)
        where TEvent : IIntegrationEvent
        where THandler : class, IEventHandler<TEvent>
    {
        services.AddScoped<THandler>();
        return services.AddSingleton(new EventRoute(TEvent.Topic, static async (provider, data, context, cancellationToken) =>
        {
            var integrationEvent = Read<TEvent>(data, context);
            await using var scope = provider.CreateAsyncScope();
            await scope.ServiceProvider.GetRequiredService<THandler>().HandleAsync(integrationEvent, context, cancellationToken);
        }));
    }

    internal static TEvent Read<TEvent>(ReadOnlyMemory<byte> data, EventContext context)
        where TEvent : IIntegrationEvent
    {
        TEvent? integrationEvent;
        try
        {
            integrationEvent = JsonSerializer.Deserialize<TEvent>(data.Span, EventJson.Options);
        }
        catch (JsonException e)
        {
            throw new MalformedEventException($"The data is not that of a {typeof(TEvent).Name}: {e.Message}", e);
        }
        return integrationEvent is not null && context.Id.Length is > 0 and <= 256
            ? integrationEvent
            : throw new MalformedEventException("The event has no data or no usable id.");
    }

    private static async Task DispatchAsync<TEvent, THandler, TContext>(
        IServiceProvider provider, ReadOnlyMemory<byte> data, EventContext context, CancellationToken cancellationToken)
        where TEvent : IIntegrationEvent
        where THandler : class, IEventHandler<TEvent>
        where TContext : DbContext
    {
        var integrationEvent = Read<TEvent>(data, context);
        await using var scope = provider.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TContext>();
        var consumer = typeof(THandler).Name;
        if (await db.Set<InboxMessage>().AnyAsync(m => m.Consumer == consumer && m.EventId == context.Id, cancellationToken))
            return;
        if (await scope.ServiceProvider.GetRequiredService<THandler>().HandleAsync(integrationEvent, context, cancellationToken) == EventOutcome.NoEffect)
            return;
        db.Set<InboxMessage>().Add(new InboxMessage
        {
            Consumer = consumer,
            EventId = context.Id,
            ReceivedAt = scope.ServiceProvider.GetRequiredService<TimeProvider>().GetUtcNow(),
        });
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException e) when (Faults.IsUniqueViolation(e, InboxMessage.PrimaryKey))
        {
            // Another replica handled it between the look and the save; nothing of this attempt is kept.
        }
    }
}
