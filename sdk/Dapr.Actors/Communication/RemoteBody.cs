using System.Buffers;
using System.Text.Json;

namespace Dapr.Actors.Communication;

/// <summary>
/// Arguments and results of calls through interfaces: <c>{"value":{"parameter":…}}</c> and <c>{"value":{"retVal":…}}</c> in JSON, or the same shape in
/// binary XML. Which one a body is shows in its first byte.
/// </summary>
internal static class RemoteBody
{
    public const string ResultName = "retVal";

    private static readonly JsonEncodedText ValueName = JsonEncodedText.Encode("value");

    public static bool IsJson(ReadOnlySpan<byte> body) => body.TrimStart(" \t\r\n"u8) is [(byte)'{', ..];

    /// <summary>Null if the method takes no arguments.</summary>
    public static byte[]? WriteArguments(RemoteMethod method, object?[] arguments, bool json, JsonSerializerOptions options)
    {
        if (method.Parameters.Length == 0)
            return null;
        if (!json)
            return method.BodyTypes.WriteArguments(arguments);
        return Write(writer =>
        {
            for (var i = 0; i < method.Parameters.Length; i++)
            {
                writer.WritePropertyName(method.Parameters[i].Name!);
                JsonSerializer.Serialize(writer, arguments[i], method.Parameters[i].ParameterType, options);
            }
        });
    }

    /// <summary>Arguments of all parameters; those that were not sent have their type's default.</summary>
    public static object?[] ReadArguments(RemoteMethod method, byte[] body, JsonSerializerOptions options, CancellationToken cancellationToken)
    {
        var arguments = new object?[method.Parameters.Length + (method.TakesCancellation ? 1 : 0)];
        if (method.TakesCancellation)
            arguments[^1] = cancellationToken;
        if (body.Length == 0 || IsJson(body))
        {
            for (var i = 0; i < method.Parameters.Length; i++)
                arguments[i] = method.Parameters[i].ParameterType is { IsValueType: true } type ? Activator.CreateInstance(type) : null;
            if (body.Length > 0)
                ReadMembers(body, name => Array.FindIndex(method.Parameters, parameter => string.Equals(parameter.Name, name, StringComparison.OrdinalIgnoreCase)), (ref Utf8JsonReader reader, int i) => arguments[i] = JsonSerializer.Deserialize(ref reader, method.Parameters[i].ParameterType, options));
        }
        else
        {
            method.BodyTypes.ReadArguments(body, arguments);
        }

        return arguments;
    }

    /// <summary>Empty if the method has no result.</summary>
    public static byte[] WriteResult(RemoteMethod method, object? result, bool json, JsonSerializerOptions options)
    {
        if (method.ResultType is not { } type)
            return [];
        if (!json)
            return method.BodyTypes.WriteResult(result);
        return Write(writer =>
        {
            writer.WritePropertyName(ResultName);
            JsonSerializer.Serialize(writer, result, type, options);
        });
    }

    public static object? ReadResult(RemoteMethod method, byte[] body, JsonSerializerOptions options)
    {
        var type = method.ResultType!;
        object? result = type.IsValueType ? Activator.CreateInstance(type) : null;
        if (body.Length == 0)
            return result;
        if (!IsJson(body))
            return method.BodyTypes.ReadResult(body);
        ReadMembers(
            body,
            name => string.Equals(name, ResultName, StringComparison.OrdinalIgnoreCase) ? 0 : -1,
            (ref Utf8JsonReader reader, int _) => result = JsonSerializer.Deserialize(ref reader, type, options));
        return result;
    }

    private static byte[] Write(Action<Utf8JsonWriter> writeMembers)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartObject(ValueName);
            writeMembers(writer);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private delegate void ReadMember(ref Utf8JsonReader reader, int index);

    private static void ReadMembers(byte[] body, Func<string, int> find, ReadMember readMember)
    {
        var reader = new Utf8JsonReader(body);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isValue = string.Equals(reader.GetString(), "value", StringComparison.OrdinalIgnoreCase);
            reader.Read();
            if (!isValue || reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var index = find(reader.GetString()!);
                reader.Read();
                if (index < 0)
                    reader.Skip();
                else
                    readMember(ref reader, index);
            }
        }
    }
}
