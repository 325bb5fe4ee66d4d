using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>All lines of an order are reserved. A held reservation has no <paramref name="ExpiresAt"/>.</summary>
public sealed record StockReserved(string OrderId, IReadOnlyList<StockLineData> Items, DateTimeOffset? ExpiresAt, DateTimeOffset OccurredAt) : IIntegrationEvent
{
    public static string Topic => "stock_reserved";

    [JsonIgnore]
    public string CloudEventType => "inventory.v1.stock_reserved";

    [JsonIgnore]
    public string PartitionKey => OrderId;
}

public sealed record StockLineData(string ProductId, int Quantity);
