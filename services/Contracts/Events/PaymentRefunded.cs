using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>Money went back: <paramref name="Amount"/> by this refund, <paramref name="RefundedTotal"/> so far.</summary>
public sealed record PaymentRefunded(
    string OrderId,
    string PaymentId,
    string RefundId,
    string UserId,
    long Amount,
    long RefundedTotal,
    string Currency,
    string? Reason,
    DateTimeOffset OccurredAt) : IIntegrationEvent
{
    public static string Topic => "payment_refunded";

    [JsonIgnore]
    public string CloudEventType => "payments.v1.payment_refunded";

    [JsonIgnore]
    public string PartitionKey => OrderId;
}
