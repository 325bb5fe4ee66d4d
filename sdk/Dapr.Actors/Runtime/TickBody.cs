using System.Text;
using System.Text.Json;

namespace Dapr.Actors.Runtime;

/// <summary>What the sidecar sends when a timer or reminder is due.</summary>
internal readonly record struct TickBody(string? Callback, byte[]? Bytes, TimeSpan DueTime, TimeSpan Period)
{
    public static TickBody Read(byte[] body)
    {
        if (body.Length == 0)
            return new TickBody(null, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        using var json = JsonDocument.Parse(body);
        var root = json.RootElement;
        return new TickBody(Text(root, "callback"), Data(root), Duration(root, "dueTime"), Duration(root, "period"));
    }

    /// <summary>Null if there is none. What is not base64 was registered by somebody else and is given as it is.</summary>
    public static byte[]? Data(JsonElement root)
    {
        if (!root.TryGetProperty("data", out var data) || data.ValueKind == JsonValueKind.Null)
            return null;
        if (data.ValueKind != JsonValueKind.String)
            return Encoding.UTF8.GetBytes(data.GetRawText());
        return data.TryGetBytesFromBase64(out var bytes) ? bytes : Encoding.UTF8.GetBytes(data.GetString()!);
    }

    // Told for information only: a form that is not known must not keep the actor from its tick.
    private static TimeSpan Duration(JsonElement root, string name)
    {
        try
        {
            return DaprDurations.Parse(Text(root, name)).Duration;
        }
        catch (FormatException)
        {
            return Timeout.InfiniteTimeSpan;
        }
    }

    private static string? Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
