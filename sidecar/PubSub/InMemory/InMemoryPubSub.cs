using System.Collections.Concurrent;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Components;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.PubSub.InMemory;

/// <summary>
/// <c>pubsub.in-memory</c>: messages go to who is subscribed at that moment, one after the other, and are gone. A topic of a subscription that ends in
/// <c>*</c> matches everything that begins like it and is longer. A failed delivery is logged.
/// </summary>
internal sealed partial class InMemoryPubSub(ComponentSpec spec) : IPubSub
{
    private readonly ILogger _logger = spec.Loggers.CreateLogger("dapr.contrib.pubsub.in-memory");
    private readonly ConcurrentDictionary<Subscriber, bool> _subscribers = new();

    public PubSubFeatures Features => PubSubFeatures.None;

    public IReadOnlyList<string> Capabilities => [];

    public Task InitAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask PublishAsync(PubSubMessage message, CancellationToken cancellationToken)
    {
        foreach (var (subscriber, _) in _subscribers)
            subscriber.Offer(message);
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<BulkFailure>> PublishManyAsync(string topic, IReadOnlyList<BulkEntry> entries, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<IAsyncDisposable> SubscribeAsync(SubscribeRequest request, MessageHandler handler, CancellationToken cancellationToken) =>
        Begin(request.Topic, async (messages, stopping) =>
        {
            await foreach (var message in messages.ReadAllAsync(stopping).ConfigureAwait(false))
            {
                if (await handler(message, stopping).ConfigureAwait(false) is { } error)
                    LogFailed(message.Topic, error);
                if (stopping.IsCancellationRequested)
                    return;
            }
        });

    public ValueTask<IAsyncDisposable> SubscribeManyAsync(SubscribeRequest request, BulkLimits limits, BulkHandler handler, CancellationToken cancellationToken) =>
        Begin(request.Topic, async (messages, stopping) =>
        {
            var batch = new List<PubSubMessage>();
            while (await messages.WaitToReadAsync(stopping).ConfigureAwait(false))
            {
                batch.Clear();
                await FillAsync(messages, batch, limits, stopping).ConfigureAwait(false);
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

    private ValueTask<IAsyncDisposable> Begin(string topic, Func<ChannelReader<PubSubMessage>, CancellationToken, Task> pump)
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
        private readonly Channel<PubSubMessage> _messages = Channel.CreateUnbounded<PubSubMessage>(new UnboundedChannelOptions { SingleReader = true });
        private readonly CancellationTokenSource _stopping = new();
        private Task _running = Task.CompletedTask;

        public void Start(Func<ChannelReader<PubSubMessage>, CancellationToken, Task> pump) => _running = Task.Run(() => pump(_messages.Reader, _stopping.Token));

        public void Offer(PubSubMessage message)
        {
            var matches = topic.EndsWith('*')
                ? message.Topic.Length >= topic.Length && message.Topic.AsSpan().StartsWith(topic.AsSpan(0, topic.Length - 1), StringComparison.Ordinal)
                : message.Topic == topic;
            if (matches)
                _messages.Writer.TryWrite(message);
        }

        public async ValueTask DisposeAsync()
        {
            owner._subscribers.TryRemove(this, out _);
            await _stopping.CancelAsync().ConfigureAwait(false);
            await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
