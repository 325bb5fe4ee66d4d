using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Events;

namespace DaprPlatform.Orders.History;

/// <summary>New orders, as they are told.</summary>
internal sealed class OrderCreatedSummaries(SummaryStore store) : IEventBatchHandler<OrderCreated>
{
    public Task HandleAsync(IReadOnlyList<DeliveredEvent<OrderCreated>> events, CancellationToken cancellationToken) =>
        store.ApplyAsync(events.Select(e => OrderSummary.From(e.Event)), cancellationToken);
}

/// <summary>What became of them. May be told before the order itself: each topic has its own pace.</summary>
internal sealed class OrderStatusSummaries(SummaryStore store) : IEventBatchHandler<OrderStatusChanged>
{
    public Task HandleAsync(IReadOnlyList<DeliveredEvent<OrderStatusChanged>> events, CancellationToken cancellationToken) =>
        store.ApplyAsync(events.Select(e => OrderSummary.From(e.Event)), cancellationToken);
}
