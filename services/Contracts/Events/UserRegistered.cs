using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>A new account. Carries what a welcome message needs and nothing else.</summary>
public sealed record UserRegistered(string UserId, string FirstName, DateTimeOffset OccurredAt) : IIntegrationEvent
{
    public static string Topic => "user_registered";

    [JsonIgnore]
    public string CloudEventType => "users.v1.registered";

    [JsonIgnore]
    public string PartitionKey => UserId;
}
