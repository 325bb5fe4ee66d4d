using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Hosting;
using Grpc.Core;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>One <c>SubscribeTopicEventsAlpha1</c>: a subscription that lasts as long as the stream. An event waits for the verdict with its id.</summary>
internal sealed class TopicStream(SidecarRuntime runtime, PubSubApi api, IAsyncStreamReader<SubscribeTopicEventsRequestAlpha1> requests, IServerStreamWriter<SubscribeTopicEventsResponseAlpha1> responses) : IEventSink
{
    private readonly Dictionary<string, Queue<TaskCompletionSource<Verdict>>> _waiting = [];
    private readonly SemaphoreSlim _writing = new(1);
    private bool _ended;

    /// <summary>Runs until the app or the sidecar ends the stream.</summary>
    public async Task RunAsync(CancellationToken cancelled)
    {
        // Events wait until the first answer is sent.
        await _writing.WaitAsync(cancelled).ConfigureAwait(false);
        IAsyncDisposable? subscription;
        using (var beginning = CancellationTokenSource.CreateLinkedTokenSource(cancelled, runtime.Stopping))
            subscription = await BeginAsync(beginning.Token).ConfigureAwait(false);
        if (subscription is null)
            return;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
        var reading = Task.CompletedTask;
        try
        {
            await responses.WriteAsync(new SubscribeTopicEventsResponseAlpha1 { InitialResponse = new SubscribeTopicEventsResponseInitialAlpha1() }).ConfigureAwait(false);
            _writing.Release();
            reading = ReadAsync(ending.Token);
            var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var registration = runtime.Stopping.UnsafeRegister(static source => ((TaskCompletionSource)source!).TrySetResult(), stopping);
            if (await Task.WhenAny(reading, stopping.Task).ConfigureAwait(false) != reading)
            {
                // The sidecar stops: nothing new is sent, the verdicts on what is under way are waited for, and the stream ends without an error.
                await Task.WhenAny(reading, subscription.DisposeAsync().AsTask()).ConfigureAwait(false);
                return;
            }

            await reading.ConfigureAwait(false);
        }
        finally
        {
            End();
            await ending.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await subscription.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        while (await requests.MoveNext(cancellationToken).ConfigureAwait(false))
        {
            var request = requests.Current;
            if (request.InitialRequest is not null)
                throw new RpcException(new Status(StatusCode.Unknown, "duplicate initial request received"));
            if (request.EventProcessed is { } processed)
                Complete(processed.Id, processed.Status is { } status ? Verdict.Of(status.Status) : Verdict.Success);
        }
    }

    public async ValueTask<Verdict> SendAsync(AppEvent @event, SubscriptionRule rule, CancellationToken cancellationToken)
    {
        var message = GrpcEventSink.Request(@event, "/");
        var verdict = new TaskCompletionSource<Verdict>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_waiting)
        {
            if (_ended)
                return Verdict.Retry("the stream has ended");
            if (!_waiting.TryGetValue(message.Id, out var queue))
                _waiting[message.Id] = queue = new Queue<TaskCompletionSource<Verdict>>(1);
            queue.Enqueue(verdict);
        }

        try
        {
            await SendAsync(new SubscribeTopicEventsResponseAlpha1 { EventMessage = message }).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return Verdict.Retry($"error sending event to the stream: {e.Message}");
        }

        return await verdict.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<IAsyncDisposable?> BeginAsync(CancellationToken cancellationToken)
    {
        if (!await requests.MoveNext(cancellationToken).ConfigureAwait(false))
            return null;
        if (requests.Current.InitialRequest is not { } initial)
            throw new RpcException(new Status(StatusCode.Unknown, "initial request is required"));
        if (initial.PubsubName.Length == 0)
            throw new RpcException(new Status(StatusCode.Unknown, "pubsubName is required"));
        if (initial.Topic.Length == 0)
            throw new RpcException(new Status(StatusCode.Unknown, "topic is required"));
        if (PubSubComponent.Find(runtime, initial.PubsubName) is null)
            throw PubSubErrors.NotFound(initial.PubsubName);
        var subscription = new Subscription(SubscriptionOrigin.Streaming, initial.PubsubName, initial.Topic, new Dictionary<string, string>(initial.Metadata), [new SubscriptionRule("", "/")], initial.DeadLetterTopic);
        try
        {
            return await api.Manager.AddStreamAsync(subscription, this, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            throw new RpcException(new Status(StatusCode.Unknown, e.Message));
        }
    }

    private void Complete(string id, Verdict verdict)
    {
        TaskCompletionSource<Verdict>? waiting = null;
        lock (_waiting)
        {
            if (_waiting.TryGetValue(id, out var queue))
            {
                waiting = queue.Dequeue();
                if (queue.Count == 0)
                    _waiting.Remove(id);
            }
        }

        waiting?.TrySetResult(verdict);
    }

    private void End()
    {
        TaskCompletionSource<Verdict>[] open;
        lock (_waiting)
        {
            _ended = true;
            open = [.. _waiting.Values.SelectMany(q => q)];
            _waiting.Clear();
        }

        foreach (var one in open)
            one.TrySetResult(Verdict.Retry("the stream has ended"));
    }

    private async Task SendAsync(SubscribeTopicEventsResponseAlpha1 response)
    {
        await _writing.WaitAsync().ConfigureAwait(false);
        try
        {
            await responses.WriteAsync(response).ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }
    }
}
