using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.ServiceDefaults.Events;

/// <summary>An event as it was delivered.</summary>
public sealed record DeliveredEvent<TEvent>(TEvent Event, EventContext Context)
    where TEvent : IIntegrationEvent;

/// <summary>
/// Reacts to many events of one kind at once, in the order of their partition, and saves what it does: all of it or nothing. Events come again, alone or among
/// others: it must know those it had, or do the same again.
/// </summary>
public interface IEventBatchHandler<TEvent>
    where TEvent : IIntegrationEvent
{
    Task HandleAsync(IReadOnlyList<DeliveredEvent<TEvent>> events, CancellationToken cancellationToken);
}

/// <summary>An event of a bulk delivery, not read yet.</summary>
internal readonly record struct RawEvent(ReadOnlyMemory<byte> Data, EventContext Context);

/// <summary>Takes a bulk delivery: for each event why it failed, in their order; null is a success.</summary>
internal delegate Task<Exception?[]> BatchDispatch(IServiceProvider provider, IReadOnlyList<RawEvent> events, CancellationToken cancellationToken);

public static class EventBatches
{
    /// <summary>Delivers the topic of <typeparamref name="TEvent"/> to the handler: many at once where the subscription says <c>bulkSubscribe</c>, otherwise in batches of one.</summary>
    public static IServiceCollection AddEventBatchHandler<TEvent, THandler>(this IServiceCollection services)
        where TEvent : IIntegrationEvent
        where THandler : class, IEventBatchHandler<TEvent>
    {
        services.AddScoped<THandler>();
        return services.AddSingleton(new EventRoute(
            TEvent.Topic,
            static (provider, data, context, cancellationToken) =>
                HandleAsync<TEvent, THandler>(provider, [new DeliveredEvent<TEvent>(EventHandling.Read<TEvent>(data, context), context)], cancellationToken),
            DispatchAsync<TEvent, THandler>));
    }

    /// <summary>For handlers of single events: one after the other.</summary>
    internal static async Task<Exception?[]> OneByOneAsync(EventRoute route, IServiceProvider provider, IReadOnlyList<RawEvent> events, CancellationToken cancellationToken)
    {
        var failures = new Exception?[events.Count];
        for (var i = 0; i < failures.Length; i++)
        {
            using var activity = events[i].Context.Resume(route.Topic);
            failures[i] = await FailureAsync(() => route.Dispatch(provider, events[i].Data, events[i].Context, cancellationToken), cancellationToken);
        }
        return failures;
    }

    private static async Task<Exception?[]> DispatchAsync<TEvent, THandler>(IServiceProvider provider, IReadOnlyList<RawEvent> events, CancellationToken cancellationToken)
        where TEvent : IIntegrationEvent
        where THandler : class, IEventBatchHandler<TEvent>
    {
        var failures = new Exception?[events.Count];
        var (batch, places) = (new List<DeliveredEvent<TEvent>>(events.Count), new List<int>(events.Count));
        for (var i = 0; i < failures.Length; i++)
        {
            try
            {
                batch.Add(new DeliveredEvent<TEvent>(EventHandling.Read<TEvent>(events[i].Data, events[i].Context), events[i].Context));
                places.Add(i);
            }
            catch (MalformedEventException e)
            {
                failures[i] = e;
            }
        }
        if (batch.Count == 0 || await FailureAsync(() => HandleAsync<TEvent, THandler>(provider, batch, cancellationToken), cancellationToken) is not { } failure)
            return failures;
        // A database that is away is away for each of them; otherwise one may have spoilt it for all.
        var alone = batch.Count > 1 && !Faults.IsTransient(failure);
        for (var i = 0; i < places.Count; i++)
        {
            var one = batch[i];
            failures[places[i]] = alone ? await FailureAsync(() => HandleAsync<TEvent, THandler>(provider, [one], cancellationToken), cancellationToken) : failure;
        }
        return failures;
    }

    private static async Task HandleAsync<TEvent, THandler>(IServiceProvider provider, IReadOnlyList<DeliveredEvent<TEvent>> events, CancellationToken cancellationToken)
        where TEvent : IIntegrationEvent
        where THandler : class, IEventBatchHandler<TEvent>
    {
        await using var scope = provider.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<THandler>().HandleAsync(events, cancellationToken);
    }

    private static async Task<Exception?> FailureAsync(Func<Task> handle, CancellationToken cancellationToken)
    {
        try
        {
            await handle();
            return null;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return e;
        }
    }
}
