using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.StandIns.Log;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.PubSub.Redis;

/// <summary>
/// <c>pubsub.redis</c> over embedded streams: a group per app, each message to one member, several at a time. A delivery that fails is over; one that takes
/// longer than the processing timeout is made again, by whoever looks first.
/// </summary>
internal sealed partial class RedisPubSub(ComponentSpec spec) : IPubSub
{
    private readonly ILogger _logger = spec.Loggers.CreateLogger("dapr.contrib.pubsub.redis");
    private RedisSettings? _settings;
    private IStreamLog? _streams;

    public PubSubFeatures Features => PubSubFeatures.None;

    public IReadOnlyList<string> Capabilities => [];

    private RedisSettings Settings => _settings ?? throw new InvalidOperationException("the component is not initialised");

    private IStreamLog Streams => _streams ?? throw new InvalidOperationException("the component is not initialised");

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        _settings = new RedisSettings(spec);
        _streams = await spec.Engine.StandIns.GetAsync(StandInKinds.Streams, _settings.Address, cancellationToken).ConfigureAwait(false);
    }

    public ValueTask PublishAsync(PubSubMessage message, CancellationToken cancellationToken) =>
        Streams.AddAsync([new StreamAdd(message.Topic, message.Data, message.Metadata is { Count: > 0 } metadata ? [.. metadata] : [], Settings.Keep)], cancellationToken);

    public ValueTask<IReadOnlyList<BulkFailure>> PublishManyAsync(string topic, IReadOnlyList<BulkEntry> entries, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public async ValueTask<IAsyncDisposable> SubscribeAsync(SubscribeRequest request, MessageHandler handler, CancellationToken cancellationToken) =>
        new Consumer(this, request.Topic, handler, await Streams.JoinAsync(request.Topic, Settings.Group, cancellationToken).ConfigureAwait(false));

    public async ValueTask<IAsyncDisposable> SubscribeManyAsync(SubscribeRequest request, BulkLimits limits, BulkHandler handler, CancellationToken cancellationToken)
    {
        var collector = new BulkCollector(limits, handler, spec.Time);
        return new Consumer(this, request.Topic, collector.AddAsync, await Streams.JoinAsync(request.Topic, Settings.Group, cancellationToken).ConfigureAwait(false));
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [LoggerMessage(Level = LogLevel.Error, Message = "Error processing Redis message {Offset} of topic {Topic}: {Error}")]
    private partial void LogFailed(string topic, long offset, string error);

    [LoggerMessage(Level = LogLevel.Error, Message = "cannot take messages of topic {Topic}: {Error}")]
    private partial void LogTrouble(string topic, string error);

    /// <summary>Takes messages while fewer than allowed are under way.</summary>
    private sealed class Consumer : IAsyncDisposable
    {
        private readonly RedisPubSub _owner;
        private readonly string _topic;
        private readonly MessageHandler _handler;
        private readonly IStreamMember _member;
        private readonly SemaphoreSlim _free;
        private readonly CancellationTokenSource _stopping = new();
        private readonly Lock _lock = new();
        private readonly HashSet<Task> _underWay = [];
        private readonly Task _taking;
        private readonly Task _redelivering;

        public Consumer(RedisPubSub owner, string topic, MessageHandler handler, IStreamMember member)
        {
            _owner = owner;
            _topic = topic;
            _handler = handler;
            _member = member;
            _free = new SemaphoreSlim(owner.Settings.Concurrency);
            _taking = Task.Run(TakeAsync);
            _redelivering = owner.Settings.Redelivers ? Task.Run(RedeliverAsync) : Task.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(_taking, _redelivering).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Task[] underWay;
            lock (_lock)
                underWay = [.. _underWay];
            await Task.WhenAll(underWay).ConfigureAwait(false);
            await _member.DisposeAsync().ConfigureAwait(false);
        }

        private async Task TakeAsync()
        {
            var stopping = _stopping.Token;
            while (!stopping.IsCancellationRequested)
            {
                // Only as many are taken as can be begun at once: what is taken counts as being processed.
                await _free.WaitAsync(stopping).ConfigureAwait(false);
                var slots = 1;
                while (slots < 100 && _free.Wait(0, CancellationToken.None))
                    slots++;
                try
                {
                    var taken = await _member.TakeAsync(slots, stopping).ConfigureAwait(false);
                    slots -= taken.Count;
                    foreach (var message in taken)
                        Begin(message, ownsSlot: true);
                }
                catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
                {
                    _owner.LogTrouble(_topic, e.Message);
                }
                finally
                {
                    if (slots > 0)
                        _free.Release(slots);
                }
            }
        }

        // A message whose first delivery still runs is delivered again beside it, so redelivery has no slot of its own to wait for.
        private async Task RedeliverAsync()
        {
            using var timer = new PeriodicTimer(_owner.Settings.RedeliverInterval, _owner.Time);
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                try
                {
                    foreach (var message in await _member.ReclaimAsync(_owner.Settings.ProcessingTimeout, _owner.Settings.Concurrency, _stopping.Token).ConfigureAwait(false))
                        Begin(message, ownsSlot: false);
                }
                catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
                {
                    _owner.LogTrouble(_topic, e.Message);
                }
            }
        }

        private void Begin(LogMessage message, bool ownsSlot)
        {
            var work = Task.Run(() => ProcessAsync(message, ownsSlot));
            lock (_lock)
                _underWay.Add(work);
            _ = work.ContinueWith(static (done, state) =>
            {
                var consumer = (Consumer)state!;
                lock (consumer._lock)
                    consumer._underWay.Remove(done);
            }, this, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        private async Task ProcessAsync(LogMessage message, bool ownsSlot)
        {
            try
            {
                var began = _owner.Time.GetTimestamp();
                var metadata = message.Headers.Count > 0 ? message.Headers.ToDictionary(h => h.Key, h => h.Value) : null;
                var error = await _handler(new PubSubMessage(_topic, message.Value ?? ReadOnlyMemory<byte>.Empty, metadata), _stopping.Token).ConfigureAwait(false);
                if (error is not null)
                {
                    _owner.LogFailed(_topic, message.Offset, error);

                    // Too late, or cut short by the end of the subscription: it comes again.
                    var limit = _owner.Settings.ProcessingTimeout;
                    if (_stopping.IsCancellationRequested || (limit > TimeSpan.Zero && _owner.Time.GetElapsedTime(began) >= limit))
                        return;
                }

                _member.Acknowledge(message.Offset);
            }
            finally
            {
                if (ownsSlot)
                    _free.Release();
            }
        }
    }

    private TimeProvider Time => spec.Time;
}
