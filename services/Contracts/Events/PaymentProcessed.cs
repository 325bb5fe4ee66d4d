using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>A charge was captured, or declined with <paramref name="Message"/> as its reason.</summary>
/// <param name="Amount">Minor units of <paramref name="Currency"/>.</param>
/// <param name="Mode">Of <see cref="OrderModes"/>: choreographed asks for the order's decision.</param>
public sealed record PaymentProcessed(
    string OrderId,
    string PaymentId,
    string UserId,
    bool Success,
    string? Message,
    long Amount,
    string Currency,
    DateTimeOffset OccurredAt,
    string Mode = OrderModes.Orchestrated) : IIntegrationEvent
{
    public static string Topic => "payment_processed";

    [JsonIgnore]
    public string CloudEventType => "payments.v1.payment_processed";

    [JsonIgnore]
    public string PartitionKey => OrderId;
}
