using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Jobs.Wire;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Jobs;

/// <summary>Jobs as JSON: protobuf's JSON form, in which data is any JSON value.</summary>
internal static class JobJson
{
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithTypeRegistry(TypeRegistry.FromFiles(
        AnyReflection.Descriptor, DurationReflection.Descriptor, EmptyReflection.Descriptor, StructReflection.Descriptor, TimestampReflection.Descriptor, WrappersReflection.Descriptor)));

    /// <summary>Reads the body of a request to schedule; an empty one is an empty job.</summary>
    /// <exception cref="ApiException">It is malformed.</exception>
    public static HttpJob Parse(byte[] body)
    {
        if (body.Length == 0)
            return new HttpJob();
        try
        {
            return Parser.Parse<HttpJob>(Encoding.UTF8.GetString(body));
        }
        catch (Exception e) when (e is InvalidJsonException or InvalidProtocolBufferException or FormatException or OverflowException or ArgumentException)
        {
            throw ApiException.BadRequest("ERR_MALFORMED_REQUEST", $"failed deserializing HTTP body: proto: {e.Message}");
        }
    }

    /// <exception cref="ApiException">Data that came over gRPC is of a type that has no JSON form here.</exception>
    public static byte[] Format(Job job)
    {
        try
        {
            return JsonSerializer.SerializeToUtf8Bytes(JsonNode.Parse(Formatter.Format(job)), Json.Options);
        }
        catch (Exception e) when (e is InvalidOperationException or InvalidProtocolBufferException)
        {
            throw ApiException.Internal("ERR_INTERNAL", $"failed to encode response as JSON: {e.Message}");
        }
    }

    /// <summary>What an HTTP app gets as body: JSON for JSON values, anything else as the bytes it is.</summary>
    public static ReadOnlyMemory<byte> Body(Any? data)
    {
        if (data is null || data.Value.IsEmpty && !data.Is(Value.Descriptor))
            return default;
        if (!data.Is(Value.Descriptor))
            return data.Value.Memory;
        try
        {
            var output = new ArrayBufferWriter<byte>(Math.Max(64, data.Value.Length * 2));
            Write(output, Value.Parser.ParseFrom(data.Value));
            return output.WrittenMemory;
        }
        catch (InvalidProtocolBufferException)
        {
            // It only says that it is one.
            return data.Value.Memory;
        }
    }

    private static void Write(IBufferWriter<byte> output, Value value)
    {
        switch (value.KindCase)
        {
            case Value.KindOneofCase.StringValue:
                GoJson.WriteString(output, Encoding.UTF8.GetBytes(value.StringValue), escapeHtml: false);
                break;
            case Value.KindOneofCase.NumberValue:
                GoJson.WriteNumber(output, value.NumberValue);
                break;
            case Value.KindOneofCase.BoolValue:
                output.Write(value.BoolValue ? "true"u8 : "false"u8);
                break;
            case Value.KindOneofCase.ListValue:
                output.Write("["u8);
                for (var i = 0; i < value.ListValue.Values.Count; i++)
                {
                    if (i > 0)
                        output.Write(","u8);
                    Write(output, value.ListValue.Values[i]);
                }

                output.Write("]"u8);
                break;
            case Value.KindOneofCase.StructValue:
                output.Write("{"u8);
                var isFirst = true;
                foreach (var (name, member) in value.StructValue.Fields.OrderBy(f => f.Key, StringComparer.Ordinal))
                {
                    if (!isFirst)
                        output.Write(","u8);
                    isFirst = false;
                    GoJson.WriteString(output, Encoding.UTF8.GetBytes(name), escapeHtml: false);
                    output.Write(":"u8);
                    Write(output, member);
                }

                output.Write("}"u8);
                break;
            default:
                output.Write("null"u8);
                break;
        }
    }
}
