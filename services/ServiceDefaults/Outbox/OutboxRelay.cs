using System.Diagnostics.Metrics;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Metrics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.ServiceDefaults.Outbox;

/// <summary>
/// Publishes committed events and marks them sent. Woken by commits; looks for leftovers at the start and now and then; backs off while the sidecar or the database
/// fails. An event whose mark was lost is published again under the same id.
/// </summary>
internal sealed partial class OutboxRelay<TContext> : BackgroundService
    where TContext : DbContext
{
    private const int BatchSize = 200;
    // Under load a batch per commit would cost more than the events themselves.
    internal static readonly TimeSpan MinInterval = TimeSpan.FromMilliseconds(50);
    // Of an event, the batch is most of the cost: its trips to the database, its calls, its commits in the broker and its deliveries. Where there are several at a time
    // nobody waits for one of them so much.
    internal static readonly TimeSpan BusyInterval = TimeSpan.FromMilliseconds(200);
    internal const int BusyBatch = 4;
    // Another replica may have died between its commit and its relay.
    private static readonly TimeSpan LeftoverInterval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MaxBackOff = TimeSpan.FromSeconds(5);

    private readonly IServiceScopeFactory _scopes;
    private readonly OutboxSignal _signal;
    private readonly OutboxPublisher _publisher;
    private readonly MigrationState<TContext> _migrations;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string _service;
    private readonly Counter<long> _published;
    private readonly Counter<long> _failures;
    private readonly Histogram<double> _lag;
    // Ticks of the oldest event that could not be published; 0: none.
    private long _oldestPending;

    public OutboxRelay(
        IServiceScopeFactory scopes,
        OutboxSignal signal,
        OutboxPublisher publisher,
        MigrationState<TContext> migrations,
        IMeterFactory meters,
        ServiceName service,
        TimeProvider time,
        ILogger<OutboxRelay<TContext>> logger)
    {
        _scopes = scopes;
        _signal = signal;
        _publisher = publisher;
        _migrations = migrations;
        _time = time;
        _logger = logger;
        _service = service.Value;
        var meter = meters.Create("DaprPlatform.Outbox");
        _published = meter.CreateCounter<long>("outbox_published_total", description: "Events published from the outbox.");
        _failures = meter.CreateCounter<long>("outbox_publish_failures_total", description: "Batches that could not be published completely.");
        _lag = meter.CreateHistogram<double>("outbox_lag_seconds", "s", "Time from the event to its publication.");
        meter.CreateObservableGauge("outbox_oldest_pending_seconds", OldestPending, "s", "Age of the oldest event that waits though it was tried to publish it; 0: none waits.");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _migrations.Done.WaitAsync(stoppingToken);
        var backOff = TimeSpan.FromMilliseconds(100);
        while (!stoppingToken.IsCancellationRequested)
        {
            await _signal.WaitAsync(LeftoverInterval, _time, stoppingToken);
            try
            {
                int events;
                do
                    events = await RelayBatchAsync(stoppingToken);
                while (events == BatchSize);
                backOff = TimeSpan.FromMilliseconds(100);
                await Task.Delay(events < BusyBatch ? MinInterval : BusyInterval, _time, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                _failures.Add(1, new KeyValuePair<string, object?>("service", _service));
                LogFailure(_logger, e.Message, backOff.TotalSeconds);
                await Task.Delay(backOff, _time, stoppingToken);
                backOff = backOff * 2 < MaxBackOff ? backOff * 2 : MaxBackOff;
                _signal.Set();
            }
        }
    }

    /// <summary>How many events the batch had.</summary>
    private async Task<int> RelayBatchAsync(CancellationToken cancellationToken)
    {
        await using var scope = _scopes.CreateAsyncScope();
        var table = new OutboxTable(scope.ServiceProvider.GetRequiredService<TContext>());
        await using var batch = await table.TakeAsync(BatchSize, cancellationToken);
        if (batch.Messages.Count == 0)
        {
            Volatile.Write(ref _oldestPending, 0);
            return 0;
        }

        Volatile.Write(ref _oldestPending, batch.Messages[0].OccurredAt.UtcTicks);
        var (sent, failure) = await _publisher.PublishAsync(batch.Messages, cancellationToken);
        var now = _time.GetUtcNow();
        if (sent.Count > 0)
        {
            await batch.MarkAsync(sent, now, cancellationToken);
            _published.Add(sent.Count, new KeyValuePair<string, object?>("service", _service));
            _lag.Record((now - batch.Messages[0].OccurredAt).TotalSeconds, new KeyValuePair<string, object?>("service", _service));
        }
        if (failure is not null)
            throw failure;
        Volatile.Write(ref _oldestPending, 0);
        return batch.Messages.Count;
    }

    private Measurement<double> OldestPending()
    {
        var oldest = Volatile.Read(ref _oldestPending);
        var age = oldest == 0 ? 0 : Math.Max(0, (_time.GetUtcNow().UtcTicks - oldest) / (double)TimeSpan.TicksPerSecond);
        return new Measurement<double>(age, new KeyValuePair<string, object?>("service", _service));
    }

    [LoggerMessage(1, LogLevel.Warning, "Events wait to be published ({Reason}); next try in {Seconds} s")]
    private static partial void LogFailure(ILogger logger, string reason, double seconds);
}
