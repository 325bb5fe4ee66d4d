using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>The console's JSON: camelCase, enums as text, what is null left out.</summary>
internal static class ConsoleJson
{
    public static JsonSerializerOptions Options { get; } = Apply(new JsonSerializerOptions(JsonSerializerDefaults.Web));

    public static JsonSerializerOptions Apply(JsonSerializerOptions options)
    {
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase));
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        // Always read as JSON by its content type, never as part of a page.
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        return options;
    }
}

/// <summary>A page of a list.</summary>
/// <param name="Items">What there is of it.</param>
/// <param name="Next">Where the next page begins; null: this is the last.</param>
internal sealed record Page<T>(IReadOnlyList<T> Items, string? Next)
{
    public const int DefaultLimit = 100;
    public const int LargestLimit = 1000;

    /// <exception cref="ConsoleProblem">It is no limit.</exception>
    public static int Limit(int? asked) => asked switch
    {
        null => DefaultLimit,
        < 1 or > LargestLimit => throw ConsoleProblem.BadRequest($"limit is 1 to {LargestLimit}."),
        _ => asked.Value,
    };
}
