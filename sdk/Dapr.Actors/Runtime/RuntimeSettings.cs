using System.Buffers;
using System.Text.Json;

namespace Dapr.Actors.Runtime;

/// <summary>The answer to <c>GET dapr/config</c>.</summary>
internal static class RuntimeSettings
{
    public static byte[] Write(ActorRuntimeOptions options)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            WriteEntities(writer, options.Actors.Select(registration => registration.Type.ActorTypeName));
            WriteOptions(writer, options);
            var own = options.Actors.Where(registration => registration.TypeOptions is not null).ToList();
            if (own.Count > 0)
            {
                writer.WriteStartArray("entitiesConfig");
                foreach (var registration in own)
                {
                    writer.WriteStartObject();
                    WriteEntities(writer, [registration.Type.ActorTypeName]);
                    WriteOptions(writer, registration.TypeOptions!);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteEntities(Utf8JsonWriter writer, IEnumerable<string> names)
    {
        writer.WriteStartArray("entities");
        foreach (var name in names)
            writer.WriteStringValue(name);
        writer.WriteEndArray();
    }

    private static void WriteOptions(Utf8JsonWriter writer, ActorRuntimeOptions options)
    {
        WriteDuration(writer, "actorIdleTimeout", options.ActorIdleTimeout);
        WriteDuration(writer, "actorScanInterval", options.ActorScanInterval);
        WriteDuration(writer, "drainOngoingCallTimeout", options.DrainOngoingCallTimeout);
        if (options.DrainRebalancedActors)
            writer.WriteBoolean("drainRebalancedActors", true);
        if (options.RemindersStoragePartitions is { } partitions)
            writer.WriteNumber("remindersStoragePartitions", partitions);
        writer.WriteStartObject("reentrancy");
        writer.WriteBoolean("enabled", options.ReentrancyConfig.Enabled);
        if (options.ReentrancyConfig.MaxStackDepth is { } depth)
            writer.WriteNumber("maxStackDepth", depth);
        writer.WriteEndObject();
    }

    private static void WriteDuration(Utf8JsonWriter writer, string name, TimeSpan? value)
    {
        if (value is { } duration)
            writer.WriteString(name, DaprDurations.Format(duration));
    }
}
