using System.Runtime.Serialization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dapr.Actors;

/// <summary>Names one actor among those of its type. In JSON it is a string.</summary>
[DataContract(Name = "ActorId")]
[JsonConverter(typeof(ActorIdJsonConverter))]
public class ActorId : IEquatable<ActorId>
{
    [DataMember(Name = "ActorId", IsRequired = true, Order = 0)]
    private readonly string _id;

    /// <exception cref="ArgumentException">The id is blank.</exception>
    public ActorId(string id)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(id);
        _id = id;
    }

    /// <summary>An id that nobody else has.</summary>
    public static ActorId CreateRandom() => new(Guid.NewGuid().ToString());

    public static bool operator ==(ActorId? x, ActorId? y) => x is null ? y is null : x.Equals(y);

    public static bool operator !=(ActorId? x, ActorId? y) => !(x == y);

    public string GetId() => _id;

    public bool Equals(ActorId? other) => other is not null && string.Equals(_id, other._id, StringComparison.Ordinal);

    public override bool Equals(object? obj) => Equals(obj as ActorId);

    public override int GetHashCode() => _id.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => _id;

    private sealed class ActorIdJsonConverter : JsonConverter<ActorId>
    {
        public override ActorId? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.String)
                throw new JsonException("An actor id must be a string.");
            var text = reader.GetString();
            return string.IsNullOrWhiteSpace(text) ? null : new ActorId(text);
        }

        public override void Write(Utf8JsonWriter writer, ActorId value, JsonSerializerOptions options) => writer.WriteStringValue(value._id);
    }
}
