using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>The stock of a product fell to the threshold or below it. Told when it is crossed, not at every sale below it.</summary>
public sealed record StockLow(string ProductId, long Available, long Threshold, DateTimeOffset OccurredAt) : IIntegrationEvent
{
    public static string Topic => StockEvent.Topic;

    [JsonIgnore]
    public string CloudEventType => "inventory.v1.low_stock";

    [JsonIgnore]
    public string PartitionKey => ProductId;
}
