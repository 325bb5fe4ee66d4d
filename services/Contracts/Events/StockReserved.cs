using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>All lines of an order are reserved. A held reservation has no <paramref name="ExpiresAt"/>.</summary>
/// <param name="Mode">Of <see cref="OrderModes"/>: choreographed asks for the payment.</param>
public sealed record StockReserved(string OrderId, IReadOnlyList<StockLineData> Items, DateTimeOffset? ExpiresAt, DateTimeOffset OccurredAt, string Mode = OrderModes.Orchestrated)
    : IIntegrationEvent
{
    public static string Topic => "stock_reserved";

    [JsonIgnore]
    public string CloudEventType => "inventory.v1.stock_reserved";

    [JsonIgnore]
    public string PartitionKey => OrderId;
}

public sealed record StockLineData(string ProductId, int Quantity);
