using System.Text.Json;
using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>A fact that crosses a service border. The event's id, type and time are in its CloudEvent, the record is its <c>data</c>.</summary>
public interface IIntegrationEvent
{
    /// <summary>The topic this event is published to.</summary>
    static abstract string Topic { get; }

    /// <summary>The CloudEvent <c>type</c>, with the version in it: <c>orders.v1.order_created</c>.</summary>
    [JsonIgnore]
    string CloudEventType { get; }

    /// <summary>The aggregate's id. Events of one key stay in order.</summary>
    [JsonIgnore]
    string PartitionKey { get; }
}

/// <summary>How the data of events is written: snake_case names, every member present, so that a reader can tell a null from a member it does not know.</summary>
public static class EventJson
{
    public static JsonSerializerOptions Options { get; } = Create();

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions
        {
            PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            RespectNullableAnnotations = true,
            RespectRequiredConstructorParameters = true,
        };
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
