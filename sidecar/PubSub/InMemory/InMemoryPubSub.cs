using System.Collections.Concurrent;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Components;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.PubSub.InMemory;

/// <summary>
/// <c>pubsub.in-memory</c>: messages go to who is subscribed at that moment, one after the other, and are gone. A topic of a subscription that ends in
/// <c>*</c> matches everything that begins like it and is longer. A failed delivery is logged. Who publishes faster than is delivered waits, but not for ever:
/// it may be what delivers.
/// </summary>
internal sealed partial class InMemoryPubSub(ComponentSpec spec) : IPubSub
{
    private readonly ILogger _logger = spec.Loggers.CreateLogger("dapr.contrib.pubsub.in-memory");
    private readonly ConcurrentDictionary<Subscriber, bool> _subscribers = new();
    private readonly TimeProvider _time = spec.Time;

    public PubSubFeatures Features => PubSubFeatures.None;

    public IReadOnlyList<string> Capabilities => [];

    /// <summary>Who is subscribed to what, and how many messages wait for each.</summary>
    internal IReadOnlyList<(string Topic, int Waiting)> Standing => [.. _subscribers.Keys.Select(s => (s.Topic, s.Waiting))];

    public Task InitAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask PublishAsync(PubSubMessage message, CancellationToken cancellationToken)
    {
        Subscriber? full = null;
        foreach (var (subscriber, _) in _subscribers)
        {
            if (subscriber.Offer(message))
                full = subscriber;
        }

        return full is null ? ValueTask.CompletedTask : new ValueTask(full.RoomAsync(cancellationToken));
    }

    public ValueTask<IReadOnlyList<BulkFailure>> PublishManyAsync(string topic, IReadOnlyList<BulkEntry> entries, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<IAsyncDisposable> SubscribeAsync(SubscribeRequest request, MessageHandler handler, CancellationToken cancellationToken) =>
        Begin(request.Topic, async (subscriber, messages, stopping) =>
        {
            await foreach (var message in messages.ReadAllAsync(stopping).ConfigureAwait(false))
            {
                subscriber.Taken(message);
                if (await handler(message, stopping).ConfigureAwait(false) is { } error)
                    LogFailed(message.Topic, error);
                if (stopping.IsCancellationRequested)
                    return;
            }
        });

    public ValueTask<IAsyncDisposable> SubscribeManyAsync(SubscribeRequest request, BulkLimits limits, BulkHandler handler, CancellationToken cancellationToken) =>
        Begin(request.Topic, async (subscriber, messages, stopping) =>
        {
            var batch = new List<PubSubMessage>();
            while (await messages.WaitToReadAsync(stopping).ConfigureAwait(false))
            {
                batch.Clear();
                await FillAsync(messages, batch, limits, stopping).ConfigureAwait(false);
                batch.ForEach(subscriber.Taken);
                foreach (var error in await handler([.. batch], stopping).ConfigureAwait(false))
                {
                    if (error is not null)
                        LogFailed(request.Topic, error);
                }
            }
        });

    public async ValueTask DisposeAsync()
    {
        foreach (var (subscriber, _) in _subscribers)
            await subscriber.DisposeAsync().ConfigureAwait(false);
    }

    // As many as there are within the wait, which begins with the first.
    private async Task FillAsync(ChannelReader<PubSubMessage> messages, List<PubSubMessage> batch, BulkLimits limits, CancellationToken stopping)
    {
        using var wait = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var timer = spec.Time.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), wait, limits.MaxWait ?? BulkLimits.DefaultWait, Timeout.InfiniteTimeSpan);
        try
        {
            while (batch.Count < (limits.MaxCount ?? BulkLimits.DefaultCount))
                batch.Add(await messages.ReadAsync(wait.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            // The wait is over, or the subscription: what was read is delivered.
        }
    }

    private ValueTask<IAsyncDisposable> Begin(string topic, Func<Subscriber, ChannelReader<PubSubMessage>, CancellationToken, Task> pump)
    {
        var subscriber = new Subscriber(this, topic);
        _subscribers[subscriber] = true;
        subscriber.Start(pump);
        return ValueTask.FromResult<IAsyncDisposable>(subscriber);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "error delivering a message of topic {Topic}: {Error}")]
    private partial void LogFailed(string topic, string error);

    private sealed class Subscriber(InMemoryPubSub owner, string topic) : IAsyncDisposable
    {
        // Bytes of what waits: above the first, publishers wait until it is below the second.
        private const long Full = 32L << 20;
        private const long Roomy = Full / 2;
        private const int OfMessage = 512;
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
        private readonly Channel<PubSubMessage> _messages = Channel.CreateUnbounded<PubSubMessage>(new UnboundedChannelOptions { SingleReader = true });
        private readonly CancellationTokenSource _stopping = new();
        private Task _running = Task.CompletedTask;
        private TaskCompletionSource? _room;
        private long _waiting;
        private int _count;

        public string Topic => topic;

        public int Waiting => Volatile.Read(ref _count);

        public void Start(Func<Subscriber, ChannelReader<PubSubMessage>, CancellationToken, Task> pump) => _running = Task.Run(() => pump(this, _messages.Reader, _stopping.Token));

        /// <summary>Takes a message of its topic; true when that makes too many.</summary>
        public bool Offer(PubSubMessage message)
        {
            var matches = topic.EndsWith('*')
                ? message.Topic.Length >= topic.Length && message.Topic.AsSpan().StartsWith(topic.AsSpan(0, topic.Length - 1), StringComparison.Ordinal)
                : message.Topic == topic;
            if (!matches)
                return false;
            var waiting = Interlocked.Add(ref _waiting, message.Data.Length + OfMessage);
            Interlocked.Increment(ref _count);
            _messages.Writer.TryWrite(message);
            return waiting > Full;
        }

        /// <summary>A message is no longer waiting.</summary>
        public void Taken(PubSubMessage message)
        {
            Interlocked.Decrement(ref _count);
            if (Interlocked.Add(ref _waiting, -(message.Data.Length + OfMessage)) < Roomy && Volatile.Read(ref _room) is not null)
                Interlocked.Exchange(ref _room, null)?.TrySetResult();
        }

        /// <summary>Ends when there is room again, or when waiting for it makes no sense.</summary>
        public async Task RoomAsync(CancellationToken cancellationToken)
        {
            var fresh = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var room = Interlocked.CompareExchange(ref _room, fresh, null) ?? fresh;
            // It may have become roomy before anybody could have been told.
            if (Volatile.Read(ref _waiting) < Roomy)
                return;
            using var stopped = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
            await room.Task.WaitAsync(Patience, owner._time, stopped.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        public async ValueTask DisposeAsync()
        {
            owner._subscribers.TryRemove(this, out _);
            await _stopping.CancelAsync().ConfigureAwait(false);
            await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
