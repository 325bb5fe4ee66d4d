using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>An order moved to <paramref name="Status"/>: CONFIRMED, PROCESSING, SHIPPED, DELIVERED or CANCELLED.</summary>
public sealed record OrderStatusChanged(
    string OrderId,
    string UserId,
    long Number,
    string Status,
    string PreviousStatus,
    string? Reason,
    long TotalAmount,
    string Currency,
    DateTimeOffset OccurredAt) : IIntegrationEvent
{
    public static string Topic => "order_status_changed";

    [JsonIgnore]
    public string CloudEventType => "orders.v1." + Status.ToLowerInvariant();

    [JsonIgnore]
    public string PartitionKey => OrderId;
}
