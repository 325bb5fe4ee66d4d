using System.Threading.Channels;
using Dapr.Common;
using Grpc.Core;
using Wire = Dapr.Proto.Runtime.V1;
using WireStatus = Dapr.Proto.Runtime.V1.TopicEventResponse.Types.TopicEventResponseStatus;

namespace Dapr.Messaging.PublishSubscribe;

/// <summary>
/// One stream. A reader fills a queue, a worker empties it one message at a time: a full queue stops the reader and thereby the sidecar.
/// </summary>
internal sealed class Subscription : IAsyncDisposable
{
    readonly CancellationTokenSource _end;
    readonly CancellationTokenSource _abort = new();
    readonly AsyncDuplexStreamingCall<Wire.SubscribeTopicEventsRequestAlpha1, Wire.SubscribeTopicEventsResponseAlpha1> _call;
    readonly DaprSubscriptionOptions _options;
    readonly TopicMessageHandler _handler;
    readonly Channel<Wire.TopicEventRequest> _queue;
    Task _running = Task.CompletedTask;
    int _disposed;

    internal Subscription(
        Func<CancellationToken, AsyncDuplexStreamingCall<Wire.SubscribeTopicEventsRequestAlpha1, Wire.SubscribeTopicEventsResponseAlpha1>> connect,
        DaprSubscriptionOptions options,
        TopicMessageHandler handler,
        CancellationToken cancellationToken)
    {
        _end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _options = options;
        _handler = handler;
        _queue = options.MaximumQueuedMessages is { } most
            ? Channel.CreateBounded<Wire.TopicEventRequest>(new BoundedChannelOptions(most) { SingleReader = true, SingleWriter = true })
            : Channel.CreateUnbounded<Wire.TopicEventRequest>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        _call = connect(_abort.Token);
    }

    // Returns when the sidecar has taken the subscription.
    internal async Task Start(string pubsubName, string topic)
    {
        var initial = new Wire.SubscribeTopicEventsRequestInitialAlpha1 { PubsubName = pubsubName, Topic = topic, DeadLetterTopic = _options.DeadLetterTopic ?? "" };
        foreach (var (key, value) in _options.Metadata)
            initial.Metadata.Add(key, value);
        try
        {
            await _call.RequestStream.WriteAsync(new Wire.SubscribeTopicEventsRequestAlpha1 { InitialRequest = initial }, _end.Token).ConfigureAwait(false);
            if (!await _call.ResponseStream.MoveNext(_end.Token).ConfigureAwait(false))
                throw new DaprException("Subscribe operation failed: the Dapr endpoint ended the subscription before it began.");
        }
        catch (RpcException e)
        {
            throw GrpcCalls.Failed("Subscribe", e);
        }

        _running = Task.Run(() => Run(_call.ResponseStream.Current));
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;

        // First nothing new, then the message under way, then the connection.
        await _end.CancelAsync().ConfigureAwait(false);
        await Task.WhenAny(_running, Task.Delay(_options.MaximumCleanupTimeout)).ConfigureAwait(false);
        await _abort.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _call.Dispose();
        _end.Dispose();
        _abort.Dispose();
    }

    async Task Run(Wire.SubscribeTopicEventsResponseAlpha1 first)
    {
        var reading = Read(first);
        try
        {
            await Work().ConfigureAwait(false);
            throw new DaprException("The Dapr endpoint ended the subscription.");
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // The app ended it. Hanging up at once could lose the last verdict: the sidecar hangs up when it has read it.
            _abort.CancelAfter(_options.MaximumCleanupTimeout);
            await Complete().ConfigureAwait(false);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (Exception e)
        {
            await _end.CancelAsync().ConfigureAwait(false);
            _options.ErrorHandler?.Invoke(e as DaprException ?? (e is RpcException rpc
                ? GrpcCalls.Failed("Subscribe", rpc)
                : new DaprException("The subscription ended because a message could not be handled. See InnerException for details.", e)));
        }
        finally
        {
            await _abort.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    async Task Complete()
    {
        try
        {
            await _call.RequestStream.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException or InvalidOperationException)
        {
            // The connection is gone already.
        }
    }

    async Task Read(Wire.SubscribeTopicEventsResponseAlpha1 message)
    {
        Exception? failure = null;
        try
        {
            do
            {
                // What comes after the end is not acknowledged: the sidecar delivers it elsewhere.
                if (message.SubscribeTopicEventsResponseTypeCase == Wire.SubscribeTopicEventsResponseAlpha1.SubscribeTopicEventsResponseTypeOneofCase.EventMessage && !_end.IsCancellationRequested)
                    await Enqueue(message.EventMessage).ConfigureAwait(false);
                if (!await _call.ResponseStream.MoveNext(_abort.Token).ConfigureAwait(false))
                    break;
                message = _call.ResponseStream.Current;
            }
            while (true);
        }
        catch (Exception e)
        {
            failure = e;
        }

        _queue.Writer.TryComplete(failure);
    }

    async Task Enqueue(Wire.TopicEventRequest message)
    {
        try
        {
            await _queue.Writer.WriteAsync(message, _end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // Not acknowledged either.
        }
    }

    async Task Work()
    {
        await foreach (var message in _queue.Reader.ReadAllAsync(_end.Token).ConfigureAwait(false))
        {
            // Enumerating looks at the token only when the queue is empty.
            _end.Token.ThrowIfCancellationRequested();
            var action = await Handle(message).ConfigureAwait(false);
            var processed = new Wire.SubscribeTopicEventsRequestProcessedAlpha1 { Id = message.Id, Status = new Wire.TopicEventResponse { Status = Map(action) } };
            await _call.RequestStream.WriteAsync(new Wire.SubscribeTopicEventsRequestAlpha1 { EventProcessed = processed }, _abort.Token).ConfigureAwait(false);
        }
    }

    async Task<TopicResponseAction> Handle(Wire.TopicEventRequest message)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(_abort.Token);
        timeout.CancelAfter(_options.MessageHandlingPolicy.TimeoutDuration);
        var topicMessage = new TopicMessage(message.Id, message.Source, message.Type, message.SpecVersion, message.DataContentType, message.Topic, message.PubsubName)
        {
            Data = message.Data.Memory,
            Path = message.Path,
            Extensions = message.Extensions?.Fields.ToDictionary() ?? [],
        };
        try
        {
            // A handler that does not look at its token is left behind.
            return await _handler(topicMessage, timeout.Token).WaitAsync(timeout.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !_abort.IsCancellationRequested)
        {
            return _options.MessageHandlingPolicy.DefaultResponseAction;
        }
    }

    static WireStatus Map(TopicResponseAction action) => action switch
    {
        TopicResponseAction.Success => WireStatus.Success,
        TopicResponseAction.Drop => WireStatus.Drop,
        TopicResponseAction.Retry => WireStatus.Retry,
        _ => throw new InvalidOperationException($"'{action}' is nothing that can become of a message."),
    };
}
