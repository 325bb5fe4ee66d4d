using System.Text.Json;
using System.Text.Json.Nodes;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.PubSub.Cel;
using DaprPlatform.Sidecar.Resources;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>
/// The subscriptions of one sidecar: which there are, and which of them are delivering. Those of the app deliver while the app is healthy, streams while they
/// last. There is one per component and topic, streams aside: a programmatic one takes the place of a declarative one.
/// </summary>
internal sealed partial class SubscriptionManager : IAsyncDisposable
{
    private static readonly TimeSpan AskPause = TimeSpan.FromMilliseconds(500);
    private const int AskAttempts = 4;
    private static readonly TimeSpan BeginPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestBeginPause = TimeSpan.FromSeconds(15);

    private readonly SidecarRuntime _runtime;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _changing = new(1);
    private readonly Dictionary<(string PubSub, string Topic), Running> _running = [];
    private readonly List<StreamEntry> _streams = [];
    private IReadOnlyList<Subscription> _declarative;
    private IReadOnlyList<Subscription> _programmatic = [];
    private bool _isActive;
    private bool _isPaused;
    private bool _hasAsked;
    private readonly ITimer _again;
    private int _failures;

    /// <exception cref="ResourceException">A Subscription resource has a malformed rule.</exception>
    public SubscriptionManager(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _logger = runtime.Loggers.CreateLogger("dapr.runtime.processor.subscription");
        _declarative = Declarative(runtime.Resources);
        _again = runtime.Time.CreateTimer(_ => _ = TryAgainAsync(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>All there are, delivering or not, as <c>/v1.0/metadata</c> lists them.</summary>
    public IReadOnlyList<Subscription> All
    {
        get
        {
            lock (_streams)
                return [.. OfApp(), .. _streams.Select(s => s.Subscription)];
        }
    }

    /// <summary>Asks the app what it wants and begins to deliver.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!_runtime.App.IsConfigured)
            return;
        var asked = await AskAsync(cancellationToken).ConfigureAwait(false);
        await ChangeAsync(() =>
        {
            _programmatic = asked;
            _isActive = true;
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends the deliveries to the app, after those under way.</summary>
    public Task StopAsync() => ChangeAsync(() => _isActive = false, CancellationToken.None);

    /// <summary>Ends all deliveries for good, those to streams too, after those under way. The streams stay open.</summary>
    public Task PauseAsync() => ChangeAsync(() => _isPaused = true, CancellationToken.None);

    /// <summary>Takes over Subscription resources that have changed, and goes on with components that came, were replaced or went (hot reload).</summary>
    /// <exception cref="ResourceException">One has a malformed rule; nothing is changed.</exception>
    public async Task ReloadAsync(IReadOnlyList<Resource> resources, CancellationToken cancellationToken)
    {
        var declarative = Declarative(resources);
        // An app is asked once there is a first pub/sub component, which may be long after its start.
        var asked = _isActive && !_hasAsked ? await AskAsync(cancellationToken).ConfigureAwait(false) : null;
        await ChangeAsync(() =>
        {
            _declarative = declarative;
            _programmatic = asked ?? _programmatic;
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Begins a subscription of a stream; it ends when what is returned is disposed of.</summary>
    /// <exception cref="PubSubException">It is not possible.</exception>
    public async ValueTask<IAsyncDisposable> AddStreamAsync(Subscription subscription, IEventSink sink, CancellationToken cancellationToken)
    {
        var entry = new StreamEntry(this, subscription, sink);
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_isPaused)
                throw new PubSubException("the sidecar is shutting down");
            var component = PubSubComponent.Find(_runtime, subscription.PubSub) ?? throw new PubSubException($"pubsub {subscription.PubSub} is not found");
            if (!component.Scopes.AllowsSubscribe(subscription.Topic))
                throw new PubSubException($"failed to create subscription for {subscription.PubSub}: subscription to topic '{subscription.Topic}' on pubsub '{subscription.PubSub}' is not allowed");
            entry.Running = await BeginAsync(subscription, component, sink, cancellationToken).ConfigureAwait(false);
            lock (_streams)
                _streams.Add(entry);
        }
        finally
        {
            _changing.Release();
        }

        Changed();
        return entry;
    }

    private void Changed() => _runtime.Engine.Changes.Tell(Introspection.RuntimeAreas.Sidecars);

    public async ValueTask DisposeAsync()
    {
        await _again.DisposeAsync().ConfigureAwait(false);
        await StopAsync().ConfigureAwait(false);
        StreamEntry[] streams;
        lock (_streams)
            streams = [.. _streams];
        foreach (var stream in streams)
            await stream.DisposeAsync().ConfigureAwait(false);
    }

    private static Subscription[] Declarative(IReadOnlyList<Resource> resources) => [.. resources.Where(r => r.Kind == "Subscription").Select(SubscriptionForms.FromResource)];

    private List<Subscription> OfApp()
    {
        var chosen = new Dictionary<(string, string), Subscription>();
        foreach (var subscription in _declarative)
            chosen.TryAdd((subscription.PubSub, subscription.Topic), subscription);
        foreach (var subscription in _programmatic)
            chosen[(subscription.PubSub, subscription.Topic)] = subscription;
        return [.. chosen.Values];
    }

    private async Task ChangeAsync(Action change, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            change();
            await ReconcileAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    // What runs becomes what should run; what has not changed goes on.
    private async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        var wanted = new Dictionary<(string, string), (Subscription Subscription, PubSubComponent Component)>();
        foreach (var subscription in _isActive && !_isPaused ? OfApp() : [])
        {
            if (subscription.Rules.Count > 0 && subscription.Topic.Length > 0 && PubSubComponent.Find(_runtime, subscription.PubSub) is { } component)
                wanted[(subscription.PubSub, subscription.Topic)] = (subscription, component);
        }

        var ended = _running.Where(r => !wanted.TryGetValue(r.Key, out var w) || w.Component.Component != r.Value.Component || !w.Subscription.IsSameAs(r.Value.Subscription)).ToArray();
        foreach (var (key, _) in ended)
            _running.Remove(key);
        StreamEntry[] streams;
        lock (_streams)
            streams = [.. _streams];
        var ending = Task.WhenAll(ended.Select(e => e.Value.DisposeAsync().AsTask()));
        var failed = (await Task.WhenAll(streams.Select(s => s.ReplaceAsync(cancellationToken))).ConfigureAwait(false)).Contains(false);
        await ending.ConfigureAwait(false);

        IEventSink? sink = null;
        foreach (var (key, (subscription, component)) in wanted)
        {
            if (_running.ContainsKey(key))
                continue;
            if (!component.Scopes.AllowsSubscribe(subscription.Topic))
            {
                LogNotAllowed(subscription.Topic, subscription.PubSub);
                continue;
            }

            sink ??= _runtime.App.IsGrpc ? new GrpcEventSink(_runtime.App) : new HttpEventSink(_runtime.App);
            try
            {
                _running[key] = await BeginAsync(subscription, component, sink, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(subscription.Topic, subscription.PubSub, e.Message);
                failed = true;
            }
        }

        _failures = failed ? _failures + 1 : 0;
        if (failed)
            _again.Change(TimeSpan.FromTicks(Math.Min(LongestBeginPause.Ticks, (long)(BeginPause.Ticks * Math.Pow(1.5, Math.Min(_failures - 1, 20))))), Timeout.InfiniteTimeSpan);
    }

    // A broker that is away for a moment must not cost a subscription: it is tried until it begins, or is wanted no more.
    private async Task TryAgainAsync()
    {
        try
        {
            await ChangeAsync(static () => { }, _runtime.Stopping).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The sidecar stops.
        }
    }

    private async ValueTask<Running> BeginAsync(Subscription subscription, PubSubComponent component, IEventSink sink, CancellationToken cancellationToken)
    {
        var deadLetters = subscription.DeadLetterTopic.Length > 0 ? component.BrokerTopic(subscription.DeadLetterTopic) : null;
        var delivery = new Delivery(_runtime, subscription, component.Component, sink, deadLetters);
        var request = new SubscribeRequest(component.BrokerTopic(subscription.Topic), subscription.Metadata, deadLetters is not null);
        var handle = subscription.Bulk is { } bulk && sink is IBulkEventSink bulkSink
            ? await component.Component.SubscribeManyAsync(request, new BulkLimits(bulk.MaxMessages, bulk.MaxWait), (messages, stopping) => delivery.HandleManyAsync(bulkSink, messages, stopping), cancellationToken).ConfigureAwait(false)
            : await component.Component.SubscribeAsync(request, delivery.HandleAsync, cancellationToken).ConfigureAwait(false);
        return new Running(subscription, component.Component, handle);
    }

    private async Task<IReadOnlyList<Subscription>> AskAsync(CancellationToken cancellationToken)
    {
        if (_runtime.Options.DisableInitEndpoints.Contains("subscribe"))
        {
            LogSkipped();
            return [];
        }

        _hasAsked = _runtime.Components.All<IPubSub>().Any();
        if (!_hasAsked)
            return [];
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var asked = _runtime.App.IsGrpc ? await AskGrpcAsync(cancellationToken).ConfigureAwait(false) : await AskHttpAsync(cancellationToken).ConfigureAwait(false);
                if (asked.Count > 0)
                    LogAsked(string.Join(", ", asked.Select(s => $"{s.Topic} through pubsub={s.PubSub}")));
                return asked;
            }
            catch (Exception e) when (e is HttpRequestException or RpcException { StatusCode: StatusCode.Unavailable } && attempt < AskAttempts)
            {
                await Task.Delay(AskPause * Math.Pow(1.5, attempt - 1), _runtime.Time, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is HttpRequestException or RpcException or JsonException or CelException)
            {
                LogNotAsked(e.Message);
                return [];
            }
        }
    }

    private async Task<IReadOnlyList<Subscription>> AskHttpAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/dapr/subscribe", UriKind.Relative));
        request.Headers.TryAddWithoutValidation("dapr-app-id", _runtime.Options.AppId);
        using var response = await _runtime.App.SendAsync(request, cancellationToken).ConfigureAwait(false);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        switch ((int)response.StatusCode)
        {
            case 200:
                if (body.Length == 0)
                    return [];
                return JsonNode.Parse(body) switch
                {
                    JsonArray list => SubscriptionForms.FromHttp(list),
                    null => [],
                    _ => throw new JsonException("the app's answer to /dapr/subscribe is no list"),
                };
            case 404:
                return [];
            default:
                LogNotAsked($"app returned http status code {(int)response.StatusCode} from subscription endpoint");
                return [];
        }
    }

    private async Task<IReadOnlyList<Subscription>> AskGrpcAsync(CancellationToken cancellationToken)
    {
        try
        {
            var response = await new AppCallback.AppCallbackClient(_runtime.App.Grpc).ListTopicSubscriptionsAsync(new Empty(), cancellationToken: cancellationToken).ResponseAsync.ConfigureAwait(false);
            return SubscriptionForms.FromGrpc(response.Subscriptions);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented)
        {
            return [];
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "app is subscribed to the following topics: [{Topics}]")]
    private partial void LogAsked(string topics);

    [LoggerMessage(Level = LogLevel.Information, Message = "Skipping programmatic subscription loading")]
    private partial void LogSkipped();

    [LoggerMessage(Level = LogLevel.Error, Message = "error getting topic subscriptions from the app: {Reason}")]
    private partial void LogNotAsked(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "subscription to topic '{Topic}' on pubsub '{PubSub}' is not allowed")]
    private partial void LogNotAllowed(string topic, string pubSub);

    [LoggerMessage(Level = LogLevel.Error, Message = "error occurred while beginning pubsub for topic {Topic} on component {PubSub}: {Reason}")]
    private partial void LogFailed(string topic, string pubSub, string reason);

    private sealed record Running(Subscription Subscription, IPubSub Component, IAsyncDisposable Handle) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Handle.DisposeAsync();
    }

    private sealed class StreamEntry(SubscriptionManager owner, Subscription subscription, IEventSink sink) : IAsyncDisposable
    {
        public Subscription Subscription => subscription;

        public Running? Running { get; set; }

        // Goes on with the component that took the place of the one it began with. Under the owner's lock.
        // False: it could not begin, and has to be tried again.
        public async Task<bool> ReplaceAsync(CancellationToken cancellationToken)
        {
            var component = owner._isPaused ? null : PubSubComponent.Find(owner._runtime, subscription.PubSub);
            if (component?.Component == Running?.Component)
                return true;
            Running? old;
            lock (owner._streams)
                (old, Running) = (Running, null);
            if (old is not null)
                await old.DisposeAsync().ConfigureAwait(false);
            if (component is null || !component.Scopes.AllowsSubscribe(subscription.Topic))
                return true;
            Running begun;
            try
            {
                begun = await owner.BeginAsync(subscription, component, sink, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                owner.LogFailed(subscription.Topic, subscription.PubSub, e.Message);
                return false;
            }

            lock (owner._streams)
            {
                // The stream may have ended meanwhile.
                if (owner._streams.Contains(this))
                {
                    Running = begun;
                    return true;
                }
            }

            await begun.DisposeAsync().ConfigureAwait(false);
            return true;
        }

        public async ValueTask DisposeAsync()
        {
            Running? running;
            lock (owner._streams)
            {
                if (!owner._streams.Remove(this))
                    return;
                (running, Running) = (Running, null);
            }

            owner.Changed();
            if (running is not null)
                await running.DisposeAsync().ConfigureAwait(false);
        }
    }
}
