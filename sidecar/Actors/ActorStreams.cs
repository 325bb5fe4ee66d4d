using System.Collections.Concurrent;
using System.Threading.Channels;
using Dapr.Proto.Runtime.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Request = Dapr.Proto.Runtime.V1.SubscribeActorEventsRequestAlpha1;
using Response = Dapr.Proto.Runtime.V1.SubscribeActorEventsResponseAlpha1;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>An app that hosts its actors over streams it has opened itself (SubscribeActorEventsAlpha1). The latest stream gets the calls.</summary>
internal sealed class StreamActorApp : IActorApp
{
    private readonly Lock _lock = new();
    private ActorStream[] _streams = [];

    /// <summary>Types of all streams that are open, with the settings of the latest that names each.</summary>
    public IReadOnlyDictionary<string, ActorSettings> Types
    {
        get
        {
            var types = new Dictionary<string, ActorSettings>(StringComparer.Ordinal);
            foreach (var (type, settings) in Volatile.Read(ref _streams).SelectMany(s => s.Types))
                types[type] = settings;
            return types;
        }
    }

    public bool IsOpen => Volatile.Read(ref _streams).Length > 0;

    public void Add(ActorStream stream)
    {
        lock (_lock)
            _streams = [.. _streams, stream];
    }

    public void Remove(ActorStream stream)
    {
        lock (_lock)
            _streams = [.. _streams.Where(s => s != stream)];
    }

    public async ValueTask<ActorAnswer> InvokeAsync(ActorCall call, string? reentrancyId, CancellationToken cancellationToken)
    {
        var invoke = new SubscribeActorEventsResponseInvokeRequestAlpha1 { ActorType = call.Type, ActorId = call.Id, Method = call.Method, Data = UnsafeByteOperations.UnsafeWrap(call.Body) };
        foreach (var (name, values) in call.Headers)
        {
            if (reentrancyId is null || !name.Equals(ActorCall.ReentrancyHeader, StringComparison.OrdinalIgnoreCase))
                invoke.Metadata[name] = values.ToString();
        }

        invoke.Metadata["Dapr-Api-Call"] = "true";
        invoke.Metadata["dapr-caller-app-id"] = call.Caller.AppId;
        invoke.Metadata["dapr-caller-namespace"] = call.Caller.Namespace;
        if (reentrancyId is not null)
            invoke.Metadata[ActorCall.ReentrancyHeader] = reentrancyId;
        if (!string.IsNullOrEmpty(call.Trace.TraceParent))
            invoke.Metadata["traceparent"] = call.Trace.TraceParent;
        if (!string.IsNullOrEmpty(call.Trace.TraceState))
            invoke.Metadata["tracestate"] = call.Trace.TraceState;
        if (!string.IsNullOrEmpty(call.Trace.Baggage))
            invoke.Metadata["baggage"] = call.Trace.Baggage;

        var answer = await AskAsync(new Response { InvokeRequest = invoke }, (r, id) => r.InvokeRequest.Id = id, call.Method, cancellationToken).ConfigureAwait(false);
        if (answer.InvokeResponse is not { } result)
            throw Unexpected("invoke");
        var headers = new List<KeyValuePair<string, string>>(result.Metadata.Count + 1);
        foreach (var (name, value) in result.Metadata)
            headers.Add(KeyValuePair.Create(name, value));
        if (result.Error && !result.Metadata.Keys.Any(k => k.Equals(ActorAnswer.FaultHeader, StringComparison.OrdinalIgnoreCase)))
            headers.Add(KeyValuePair.Create(ActorAnswer.FaultHeader, "true"));
        return new ActorAnswer(headers, result.Data.Memory);
    }

    public async ValueTask RemindAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken)
    {
        var reminder = new SubscribeActorEventsResponseReminderRequestAlpha1 { ActorType = type, ActorId = id, Name = tick.Name, DueTime = tick.DueTime, Period = tick.Period, Data = Packed(tick.Data) };
        var answer = await AskAsync(new Response { ReminderRequest = reminder }, (r, number) => r.ReminderRequest.Id = number, $"remind/{tick.Name}", cancellationToken).ConfigureAwait(false);
        if (answer.ReminderResponse is null)
            throw Unexpected("reminder");
    }

    public async ValueTask TimerAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken)
    {
        var timer = new SubscribeActorEventsResponseTimerRequestAlpha1 { ActorType = type, ActorId = id, Name = tick.Name, DueTime = tick.DueTime, Period = tick.Period, Callback = tick.Callback, Data = Packed(tick.Data) };
        var answer = await AskAsync(new Response { TimerRequest = timer }, (r, number) => r.TimerRequest.Id = number, $"timer/{tick.Name}", cancellationToken).ConfigureAwait(false);
        if (answer.TimerResponse is null)
            throw Unexpected("timer");
    }

    public async ValueTask DeactivateAsync(string type, string id, CancellationToken cancellationToken)
    {
        // An app without a stream has none of its actors any more.
        if (!IsOpen)
            return;
        var deactivate = new SubscribeActorEventsResponseDeactivateRequestAlpha1 { ActorType = type, ActorId = id };
        var answer = await AskAsync(new Response { DeactivateRequest = deactivate }, (r, number) => r.DeactivateRequest.Id = number, "deactivate", cancellationToken).ConfigureAwait(false);
        if (answer.DeactivateResponse is null)
            throw Unexpected("deactivate");
    }

    private ValueTask<Request> AskAsync(Response request, Action<Response, string> setId, string method, CancellationToken cancellationToken) =>
        Volatile.Read(ref _streams) is [.., var latest]
            ? latest.AskAsync(request, setId, method, cancellationToken)
            : throw new ActorCallException(ActorStream.Gone);

    private static ActorCallException Unexpected(string what) => new($"actor host returned an unexpected response type for {what}");

    private static Any? Packed(ReadOnlyMemory<byte>? json) => json is { } data ? Any.Pack(new BytesValue { Value = UnsafeByteOperations.UnsafeWrap(data) }) : null;
}

/// <summary>One stream: requests to the app, and its answers by the requests' ids.</summary>
internal sealed class ActorStream(IReadOnlyDictionary<string, ActorSettings> types)
{
    public const string Gone = "actor host stream closed";
    private readonly ConcurrentDictionary<string, TaskCompletionSource<Request>> _waiting = new(StringComparer.Ordinal);
    private readonly Channel<Response> _outgoing = Channel.CreateUnbounded<Response>(new UnboundedChannelOptions { SingleReader = true });
    private long _last;

    public IReadOnlyDictionary<string, ActorSettings> Types => types;

    /// <summary>Writes what is to be sent until the stream ends.</summary>
    public async Task WriteAsync(IServerStreamWriter<Response> to)
    {
        try
        {
            await foreach (var response in _outgoing.Reader.ReadAllAsync().ConfigureAwait(false))
                await to.WriteAsync(response).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException or RpcException)
        {
            // The app has gone; the reading side notices it too.
            End();
        }
    }

    public void Acknowledge() => _outgoing.Writer.TryWrite(new Response { InitialResponse = new SubscribeActorEventsResponseInitialAlpha1() });

    /// <exception cref="ActorCallException">The app refused, or the stream ended.</exception>
    public async ValueTask<Request> AskAsync(Response request, Action<Response, string> setId, string method, CancellationToken cancellationToken)
    {
        var id = Interlocked.Increment(ref _last).ToString(System.Globalization.CultureInfo.InvariantCulture);
        setId(request, id);
        var answered = new TaskCompletionSource<Request>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = answered;
        try
        {
            if (!_outgoing.Writer.TryWrite(request))
                throw new ActorCallException(Gone);
            var answer = await answered.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            return answer.RequestFailed is not { } failed ? answer
                : throw (failed.Code == (uint)StatusCode.NotFound
                    ? new ActorCallException($"actor method not found: {method}", permanent: true)
                    : new ActorCallException($"error from actor service: {failed.Message}"));
        }
        finally
        {
            _waiting.TryRemove(id, out _);
        }
    }

    /// <summary>An answer came; one that nobody waits for is dropped.</summary>
    public void Answer(Request answer)
    {
        var id = answer.RequestTypeCase switch
        {
            Request.RequestTypeOneofCase.InvokeResponse => answer.InvokeResponse.Id,
            Request.RequestTypeOneofCase.ReminderResponse => answer.ReminderResponse.Id,
            Request.RequestTypeOneofCase.TimerResponse => answer.TimerResponse.Id,
            Request.RequestTypeOneofCase.DeactivateResponse => answer.DeactivateResponse.Id,
            Request.RequestTypeOneofCase.RequestFailed => answer.RequestFailed.Id,
            _ => "",
        };
        if (_waiting.TryGetValue(id, out var waiting))
            waiting.TrySetResult(answer);
    }

    /// <summary>Fails what is under way.</summary>
    public void End()
    {
        _outgoing.Writer.TryComplete();
        foreach (var waiting in _waiting.Values)
            waiting.TrySetException(new ActorCallException(Gone));
    }
}
