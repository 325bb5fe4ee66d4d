using System.Text.Json;

namespace Dapr.Common.Serialization;

/// <summary>JSON; null is the empty string and the other way round.</summary>
public class JsonDaprSerializer(JsonSerializerOptions options) : IDaprSerializer
{
    private static readonly JsonSerializerOptions Defaults = new(JsonSerializerDefaults.Web) { IncludeFields = true };

    public JsonDaprSerializer() : this(Defaults)
    {
    }

    public string Serialize(object? value, Type? inputType = null) =>
        value is null ? string.Empty : JsonSerializer.Serialize(value, inputType ?? value.GetType(), options);

    public T? Deserialize<T>(string? data) => string.IsNullOrEmpty(data) ? default : JsonSerializer.Deserialize<T>(data, options);

    public object? Deserialize(string? data, Type returnType) => string.IsNullOrEmpty(data) ? null : JsonSerializer.Deserialize(data, returnType, options);
}
