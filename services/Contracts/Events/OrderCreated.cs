using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>An order was accepted and is durable.</summary>
/// <param name="Mode">Of <see cref="OrderModes"/>: who decides what becomes of it.</param>
/// <param name="Number">Of the user's orders; 0 in events of versions that did not tell.</param>
public sealed record OrderCreated(
    string OrderId,
    string UserId,
    IReadOnlyList<OrderCreatedItem> Items,
    long TotalAmount,
    string Currency,
    DateTimeOffset OccurredAt,
    string Mode = OrderModes.Orchestrated,
    long Number = 0) : IIntegrationEvent
{
    public static string Topic => "order_created";

    [JsonIgnore]
    public string CloudEventType => "orders.v1.order_created";

    [JsonIgnore]
    public string PartitionKey => OrderId;
}

/// <param name="UnitPrice">Minor units of the order's currency.</param>
public sealed record OrderCreatedItem(string ProductId, int Quantity, long UnitPrice);
