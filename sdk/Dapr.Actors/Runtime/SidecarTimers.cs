using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Dapr.Actors.Communication;

namespace Dapr.Actors.Runtime;

/// <summary>Timers and reminders at the sidecar.</summary>
internal sealed class SidecarTimers(SidecarActors sidecar, TimeProvider time) : ActorTimerManager
{
    public override Task RegisterReminderAsync(ActorReminder reminder)
    {
        var body = Write(writer =>
        {
            writer.WriteString("dueTime", DaprDurations.Format(reminder.DueTime));
            writer.WriteString(
                "period",
                reminder.Repetitions is { } count ? DaprDurations.FormatRepeated(reminder.Period, count) : DaprDurations.Format(reminder.Period));
            writer.WriteBase64String("data", reminder.State);
            if (reminder.Ttl is { } ttl)
                writer.WriteString("ttl", DaprDurations.Format(ttl));
        });
        return sidecar.PutAsync("reminders", reminder.ActorType, reminder.ActorId, reminder.Name, body, CancellationToken.None);
    }

    public override async Task<IActorReminder?> GetReminderAsync(ActorReminderToken reminder)
    {
        var body = await sidecar.GetReminderAsync(reminder.ActorType, reminder.ActorId, reminder.Name, CancellationToken.None);
        if (body is null or { Length: 0 })
            return null;
        using var json = JsonDocument.Parse(body);
        if (json.RootElement.ValueKind != JsonValueKind.Object)
            return null;
        var dueTime = DueTime(Text(json.RootElement, "dueTime"));
        var (period, repetitions) = DaprDurations.Parse(Text(json.RootElement, "period"));
        return new Found(reminder.Name, dueTime, TickBody.Data(json.RootElement) ?? [], period, repetitions);
    }

    public override Task UnregisterReminderAsync(ActorReminderToken reminder) =>
        sidecar.DeleteAsync("reminders", reminder.ActorType, reminder.ActorId, reminder.Name, CancellationToken.None);

    public override Task RegisterTimerAsync(ActorTimer timer)
    {
        var body = Write(writer =>
        {
            writer.WriteString("dueTime", DaprDurations.Format(timer.DueTime));
            if (timer.Period >= TimeSpan.Zero)
                writer.WriteString("period", DaprDurations.Format(timer.Period));
            if (timer.Data is { } data)
                writer.WriteBase64String("data", data);
            writer.WriteString("callback", timer.TimerCallback);
            if (timer.Ttl is { } ttl)
                writer.WriteString("ttl", DaprDurations.Format(ttl));
        });
        return sidecar.PutAsync("timers", timer.ActorType, timer.ActorId, timer.Name, body, CancellationToken.None);
    }

    public override Task UnregisterTimerAsync(ActorTimerToken timer) =>
        sidecar.DeleteAsync("timers", timer.ActorType, timer.ActorId, timer.Name, CancellationToken.None);

    // A reminder that runs already has a date there.
    private TimeSpan DueTime(string? text)
    {
        if (!DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date))
            return DaprDurations.Parse(text).Duration;
        var left = date - time.GetUtcNow();
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static byte[] Write(Action<Utf8JsonWriter> writeMembers)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writeMembers(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private sealed record Found(string Name, TimeSpan DueTime, byte[] State, TimeSpan Period, int? Repetitions) : IActorReminder;
}
