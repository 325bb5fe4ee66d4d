using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>Something could not be undone: stock or money is where it does not belong, and somebody has to look.</summary>
/// <param name="Subject">The order or refund whose workflow gave up.</param>
/// <param name="Failures">The steps that failed for good, with their messages.</param>
/// <param name="Service">Where: <c>orders</c> or <c>payments</c>.</param>
public sealed record CompensationFailed(string OrderId, string UserId, string Subject, string Service, IReadOnlyList<string> Failures, DateTimeOffset OccurredAt)
    : IIntegrationEvent
{
    public static string Topic => "compensation_failed";

    [JsonIgnore]
    public string CloudEventType => Service + ".v1.compensation_failed";

    [JsonIgnore]
    public string PartitionKey => OrderId;
}
