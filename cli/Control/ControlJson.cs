using System.Text.Json;
using System.Text.Json.Serialization;

namespace DaprPlatform.Cli.Control;

/// <summary>The JSON that commands print.</summary>
internal static class ControlJson
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        WriteIndented = false,
    };
}
