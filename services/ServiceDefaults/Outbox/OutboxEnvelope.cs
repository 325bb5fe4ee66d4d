using System.Text.Json;
using System.Text.Json.Serialization;
using Dapr;

namespace DaprPlatform.ServiceDefaults.Outbox;

/// <summary>A CloudEvent with an id of its own, so that a consumer knows an event it has had.</summary>
internal sealed class OutboxEnvelope : CloudEvent<RawJson>
{
    public OutboxEnvelope(OutboxMessage message, string source)
        : base(new RawJson(message.Data))
    {
        Id = message.EventId.ToString("D");
        Time = message.OccurredAt;
        TraceParent = message.TraceParent;
        Source = new Uri(source, UriKind.Relative);
        Type = message.Type;
        Subject = message.PartitionKey;
    }

    [JsonPropertyName("specversion")]
    public string SpecVersion => "1.0";

    [JsonPropertyName("id")]
    public string Id { get; }

    [JsonPropertyName("time")]
    public DateTimeOffset Time { get; }

    [JsonPropertyName("traceparent")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? TraceParent { get; }
}

/// <summary>JSON that is written as it stands.</summary>
[JsonConverter(typeof(Converter))]
internal readonly record struct RawJson(string Text)
{
    private sealed class Converter : JsonConverter<RawJson>
    {
        public override RawJson Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            using var document = JsonDocument.ParseValue(ref reader);
            return new RawJson(document.RootElement.GetRawText());
        }

        public override void Write(Utf8JsonWriter writer, RawJson value, JsonSerializerOptions options) =>
            writer.WriteRawValue(value.Text, skipInputValidation: true);
    }
}
