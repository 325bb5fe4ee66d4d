using System.Text;
using System.Text.Json.Nodes;

namespace DaprPlatform.Sidecar.Introspection;

/// <summary>Bytes in JSON: text where they are UTF-8, else <c>{"base64": …}</c>.</summary>
public static class ShownBytes
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static JsonNode Of(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return JsonValue.Create(Strict.GetString(bytes));
        }
        catch (DecoderFallbackException)
        {
            return new JsonObject { ["base64"] = Convert.ToBase64String(bytes) };
        }
    }
}
