using System.Globalization;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.StandIns.Log;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.PubSub.Kafka;

/// <summary>
/// Handles the partitions of one subscription: a message (or batch) at a time, in order, again after a pause while it fails; partitions side by side. What was
/// handled is marked; what was given up is not, so that it comes again after a restart unless something behind it was handled.
/// </summary>
internal sealed partial class KafkaConsumer(ComponentSpec spec, KafkaSettings settings, SubscribeRequest request, ILogger logger)
{
    private const int ReadAhead = 256;
    private const int BulkCount = 80;
    private static readonly TimeSpan BulkWait = TimeSpan.FromSeconds(10);
    private static readonly ReadOnlyMemory<byte> Tombstone = "null"u8.ToArray();
    private readonly ILogger _logger = logger;

    public LogConsumer Single(MessageHandler handler) => async (reader, revoked) =>
    {
        while (true)
        {
            foreach (var message in await reader.ReadAsync(ReadAhead, revoked).ConfigureAwait(false))
            {
                var delivered = Delivered(message, reader.Partition);
                if (await RepeatAsync(async () => await handler(delivered, revoked).ConfigureAwait(false), message.Offset, reader.Partition, revoked).ConfigureAwait(false))
                    reader.Mark(message.Offset);
                revoked.ThrowIfCancellationRequested();
            }
        }
    };

    public LogConsumer Bulk(BulkLimits limits, BulkHandler handler) => async (reader, revoked) =>
    {
        var count = limits.MaxCount ?? BulkCount;
        var wait = limits.MaxWait ?? BulkWait;
        var began = spec.Time.GetTimestamp();
        var batch = new List<LogMessage>(count);
        while (true)
        {
            batch.Clear();
            batch.AddRange(await reader.ReadAsync(count, revoked).ConfigureAwait(false));
            await FillAsync(reader, batch, count, wait, began, revoked).ConfigureAwait(false);
            if (batch.Count >= count)
                began = spec.Time.GetTimestamp();
            PubSubMessage[] messages = [.. batch.Select(m => Delivered(m, reader.Partition))];
            IReadOnlyList<string?> errors = [];
            var handled = await RepeatAsync(async () =>
            {
                errors = await handler(messages, revoked).ConfigureAwait(false);
                return errors.FirstOrDefault(e => e is not null);
            }, batch[0].Offset, reader.Partition, revoked).ConfigureAwait(false);

            // Given up: marked up to the first failure.
            var good = handled ? batch.Count : Math.Max(0, errors.Index().FirstOrDefault(e => e.Item is not null, (batch.Count, null)).Index);
            if (good > 0)
                reader.Mark(batch[good - 1].Offset);
            revoked.ThrowIfCancellationRequested();
        }
    };

    // The wait ends with the tick of a clock that runs since the partition was taken or a batch was full, not with the first message.
    private async Task FillAsync(ILogReader reader, List<LogMessage> batch, int count, TimeSpan wait, long began, CancellationToken revoked)
    {
        if (batch.Count >= count)
            return;
        var elapsed = spec.Time.GetElapsedTime(began).Ticks % wait.Ticks;
        using var tick = CancellationTokenSource.CreateLinkedTokenSource(revoked);
        using var timer = spec.Time.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), tick, TimeSpan.FromTicks(wait.Ticks - elapsed), Timeout.InfiniteTimeSpan);
        try
        {
            while (batch.Count < count)
                batch.AddRange(await reader.ReadAsync(count - batch.Count, tick.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            // The wait is over; when the partition is taken away, what was read is still delivered.
        }
    }

    // True: handled. False: given up, or the partition is taken away.
    private async Task<bool> RepeatAsync(Func<Task<string?>> deliver, long offset, int partition, CancellationToken revoked)
    {
        var began = spec.Time.GetTimestamp();
        for (var attempts = 1L; ; attempts++)
        {
            if (await deliver().ConfigureAwait(false) is not { } error)
                return true;
            LogFailed(request.Topic, partition, offset, error);
            if (!settings.Retries || settings.BackOff.Next(attempts, spec.Time.GetElapsedTime(began)) is not { } pause)
                return false;
            await Task.Delay(pause, spec.Time, revoked).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (revoked.IsCancellationRequested)
                return false;
        }
    }

    private PubSubMessage Delivered(LogMessage message, int partition)
    {
        var metadata = new Dictionary<string, string>(message.Headers.Count + 5)
        {
            ["__topic"] = request.Topic,
            ["__partition"] = partition.ToString(CultureInfo.InvariantCulture),
            ["__offset"] = message.Offset.ToString(CultureInfo.InvariantCulture),
            ["__timestamp"] = message.Timestamp.ToString(CultureInfo.InvariantCulture),
        };
        if (message.Key is { } key)
            metadata["__key"] = Escaped(key);
        foreach (var (name, value) in message.Headers)
        {
            if (settings.Excluded?.IsMatch(name) != true && !DeadLetterFacts.IsOne(name))
                metadata[name] = Escaped(value);
        }

        return new PubSubMessage(request.Topic, message.Value ?? Tombstone, metadata);
    }

    private string Escaped(string value) => settings.EscapesHeaders ? Uri.EscapeDataString(value).Replace("%20", "+", StringComparison.Ordinal) : value;

    [LoggerMessage(Level = LogLevel.Error, Message = "error processing Kafka message: {Topic}/{Partition}/{Offset}: {Error}")]
    private partial void LogFailed(string topic, int partition, long offset, string error);
}
