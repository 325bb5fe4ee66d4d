using System.Text.Json.Serialization;

namespace Dapr;

/// <summary>A cloud event to publish; the sidecar fills in what is not set.</summary>
public class CloudEvent
{
    /// <summary>Who published it.</summary>
    [JsonPropertyName("source")]
    public Uri? Source { get; init; }

    /// <summary>What happened.</summary>
    [JsonPropertyName("type")]
    public string? Type { get; init; }

    /// <summary>To what it happened.</summary>
    [JsonPropertyName("subject")]
    public string? Subject { get; init; }
}

/// <summary>A cloud event with data.</summary>
public class CloudEvent<TData> : CloudEvent
{
    /// <summary>An event with this data.</summary>
    public CloudEvent(TData data) => Data = data;

    /// <summary>The data.</summary>
    [JsonPropertyName("data")]
    public TData Data { get; }

    /// <summary>What the data is.</summary>
    [JsonPropertyName("datacontenttype")]
    public string DataContentType { get; } = "application/json";
}
