using System.Collections.Frozen;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Actors.Placement;
using DaprPlatform.Sidecar.Apps;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>
/// A building block with actor types of its own that only the metadata shows, such as the workflow engine while a worker is connected. It need do nothing but
/// implement this.
/// </summary>
internal interface IActorTypeSource
{
    /// <summary>Types with the number of their active actors.</summary>
    IEnumerable<(string Type, int Count)> ActorTypes { get; }
}

/// <summary>
/// Actors (https://docs.dapr.io/reference/api/actors_api/): hosted by the app over its endpoints or over a stream, called wherever they are, with state, timers and
/// reminders. On only with a placement address. Both faces stand on this.
/// </summary>
internal sealed partial class ActorsApi : IBuildingBlock, IMetadataSource, IAsyncDisposable
{
    private static readonly TimeSpan RegistrationPatience = TimeSpan.FromSeconds(5);
    private const double DrainShare = 0.8;
    private readonly SidecarRuntime _runtime;
    private readonly ILogger _logger;
    private readonly HostedActors _hosted;
    private readonly LocalActors _local;
    private readonly ActorDirectory _directory;
    private readonly ActorPeers _peers;
    private readonly ActorRouter _router;
    private readonly ActorTimers _timers;
    private readonly StreamActorApp _streams = new();
    private readonly HttpActorApp _http;
    private readonly SemaphoreSlim _registering = new(1);
    private readonly CancellationTokenSource _ended = new();
    private readonly CancellationTokenRegistration _stopping;
    private IReadOnlyDictionary<string, ActorSettings> _configured = FrozenDictionary<string, ActorSettings>.Empty;
    private volatile IReadOnlyDictionary<string, ActorSettings> _registered = FrozenDictionary<string, ActorSettings>.Empty;
    private CancellationTokenSource _registration = new();
    private Task? _stopped;
    private volatile bool _ready;
    private volatile bool _appIsThere;
    private volatile bool _betweenStores;
    private string? _storeName;

    public ActorsApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _logger = runtime.Loggers.CreateLogger("dapr.runtime.actor");
        _hosted = new HostedActors(runtime.Time, runtime.Metrics.Actors, _logger, () => runtime.Engine.Changes.Tell(Introspection.RuntimeAreas.Actors));
        _local = new LocalActors(runtime, _hosted);
        _directory = new ActorDirectory(runtime, next => _hosted.KeepAsync((type, id) => next.Find(type, id)?.Id == _directory!.Self.Id, rebalanced: true));
        _hosted.IsHere = _directory.IsHere;
        _peers = new ActorPeers(runtime.Engine);
        _router = new ActorRouter(runtime, _directory, _local, _peers);
        _timers = new ActorTimers(runtime.Time, _local.TimerAsync, runtime.Metrics.Actors, _logger);
        _http = new HttpActorApp(runtime.App);
        State = new ActorState(runtime);
        Reminders = new ActorReminders(runtime, _router);
        _storeName = State.StoreName;
        if (!IsEnabled)
            return;
        runtime.Metrics.Registry.Reading += Reminders.ReportAsync;
        _peers.Add(runtime, _directory.Self, _local);
        _stopping = runtime.Stopping.UnsafeRegister(static api => _ = ((ActorsApi)api!).StopAsync(), this);
    }

    public ActorState State { get; }

    public ActorReminders Reminders { get; }

    /// <summary>The sidecar has a placement address.</summary>
    public bool IsEnabled => _runtime.Options.PlacementHostAddress.Length > 0;

    /// <summary>Where this sidecar's actors are.</summary>
    public HostedActors Hosted => _hosted;

    public ActorRouter Router => _router;

    public async Task AppReadyAsync(CancellationToken cancellationToken)
    {
        if (!IsEnabled)
            return;
        _configured = ActorSettings.Parse(_runtime.Lifecycle.Configuration, out var malformed);
        if (malformed is not null)
            LogMalformed(malformed);
        _appIsThere = true;
        try
        {
            await RegisterAsync().WaitAsync(RegistrationPatience, _runtime.Time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Placement does not answer; the registration goes on.
            LogSlow();
        }

        _ready = true;
    }

    public async Task AppGoneAsync()
    {
        if (!IsEnabled)
            return;
        if (_runtime.Stopping.IsCancellationRequested)
        {
            await StopAsync().ConfigureAwait(false);
            return;
        }

        // While a shutdown is put off, the app is well and its actors go on.
        if (_runtime.App.IsHealthy)
            return;
        _appIsThere = false;
        await RegisterAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Actors are hosted only while there is a store for their state: one that goes, or makes room for another, ends them, one that comes lets them begin. A new
    /// instance of the same store changes nothing.
    /// </summary>
    public async Task ReloadedAsync(CancellationToken cancellationToken)
    {
        var (before, now) = (_storeName, State.StoreName);
        _storeName = now;
        if (!IsEnabled || before == now)
            return;
        if (before is not null && now is not null)
        {
            _betweenStores = true;
            await RegisterAsync().ConfigureAwait(false);
            _betweenStores = false;
        }

        await RegisterAsync().ConfigureAwait(false);
    }

    public void Describe(GetMetadataResponse metadata)
    {
        if (!IsEnabled)
            return;
        var runtime = metadata.ActorRuntime;
        runtime.RuntimeStatus = _ready ? ActorRuntime.Types.ActorRuntimeStatus.Running : ActorRuntime.Types.ActorRuntimeStatus.Initializing;
        runtime.HostReady = _ready;
        runtime.Placement = _ready && (_hosted.Types.Count == 0 || _directory.IsJoined) ? "placement: connected" : "placement: disconnected";
        foreach (var type in _registered.Keys.Order(StringComparer.Ordinal))
            Add(type, _hosted.CountOf(type));
        foreach (var (type, count) in _runtime.Blocks.OfType<IActorTypeSource>().SelectMany(s => s.ActorTypes))
            Add(type, count);

        void Add(string type, int count)
        {
            metadata.ActiveActorsCount.Add(new ActiveActorsCount { Type = type, Count = count });
            runtime.ActiveActors.Add(new ActiveActorsCount { Type = type, Count = count });
        }
    }

    /// <summary>Refuses what no actor API takes.</summary>
    /// <exception cref="ApiException">No placement, a type of the workflow engine, or a name that is none.</exception>
    public void Check(string type, string? id)
    {
        if (!IsEnabled)
            throw ActorErrors.NoPlacement();
        if (ActorName.IsReserved(type))
            throw ActorErrors.Reserved(type);
        if (ActorName.Refusal(type) is { } badType)
            throw ActorErrors.BadName($"invalid actorType: {badType}");
        if (id is not null && ActorName.Refusal(id) is { } badId)
            throw ActorErrors.BadName($"invalid actorId: {badId}");
    }

    /// <summary>Refuses a state transaction of an actor that is not active here.</summary>
    public void CheckActive(string type, string id)
    {
        if (!_hosted.IsActive(type, id))
            throw ActorErrors.InstanceMissing();
    }

    /// <summary>Refuses what no reminder API takes: as <see cref="Check"/>, and a type that is not hosted here.</summary>
    /// <param name="name">Of the reminder; null: of none in particular.</param>
    public void CheckReminder(string type, string? id, string? name)
    {
        Check(type, id);
        if (name is not null)
        {
            if (name.Length == 0)
                throw ActorErrors.BadRequest("reminder name cannot be empty");
            if (ActorName.Refusal(name) is { } bad)
                throw ActorErrors.BadRequest(bad);
        }

        if (!_hosted.IsHosted(type))
            throw ActorErrors.ReminderNotHosted();
    }

    /// <summary>Starts a timer.</summary>
    /// <exception cref="ApiException">The type is not hosted here, or a time has none of the forms it may have.</exception>
    public void StartTimer(string type, string id, ActorTick tick, string ttl)
    {
        Check(type, id);
        if (tick.Name.Length == 0)
            throw ActorErrors.BadRequest("timer name cannot be empty");
        if (ActorName.Refusal(tick.Name) is { } bad)
            throw ActorErrors.BadRequest(bad);
        if (!_hosted.IsHosted(type))
            throw ActorErrors.TimerCreate($"can't create timer for actor {type}||{id}: actor type not registered");
        try
        {
            _timers.Start(type, id, tick, ttl);
        }
        catch (Exception e) when (e is FormatException or ArgumentOutOfRangeException or OverflowException)
        {
            throw ActorErrors.TimerCreate(e.Message);
        }
    }

    public void StopTimer(string type, string id, string name)
    {
        Check(type, id);
        _timers.Stop(type, id, name);
    }

    /// <summary>An app hosts actors over a stream; completes when it ends.</summary>
    public async Task ServeAsync(IAsyncStreamReader<SubscribeActorEventsRequestAlpha1> requests, IServerStreamWriter<SubscribeActorEventsResponseAlpha1> responses, CancellationToken cancellationToken)
    {
        if (!IsEnabled)
            throw ActorErrors.NoPlacement();
        if (_runtime.App.IsConfigured && !_runtime.App.IsGrpc)
            throw new RpcException(new Status(StatusCode.FailedPrecondition, "actors of an app with an HTTP channel are hosted over that channel, not over a stream"));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _ended.Token);
        if (!await requests.MoveNext(ending.Token).ConfigureAwait(false) || requests.Current.InitialRequest is not { } initial)
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the first message must be the initial request"));
        var stream = new ActorStream(ActorSettings.Parse(initial));
        var writing = stream.WriteAsync(responses);
        _streams.Add(stream);
        try
        {
            await RegisterAsync().WaitAsync(ending.Token).ConfigureAwait(false);
            stream.Acknowledge();
            while (await requests.MoveNext(ending.Token).ConfigureAwait(false))
                stream.Answer(requests.Current);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The app has gone, or the sidecar goes.
        }
        finally
        {
            _streams.Remove(stream);
            stream.End();
            await writing.ConfigureAwait(false);
            await RegisterAsync().ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (IsEnabled)
            await StopAsync().ConfigureAwait(false);
        await _stopping.DisposeAsync().ConfigureAwait(false);
        await Reminders.DisposeAsync().ConfigureAwait(false);
        _peers.Remove(_directory.Self);
        await _directory.DisposeAsync().ConfigureAwait(false);
        _timers.Dispose();
        _hosted.Dispose();
    }

    // Ends the actors; streams last until theirs are deactivated.
    private Task StopAsync()
    {
        lock (_streams)
            return _stopped ??= StopOnceAsync();

        async Task StopOnceAsync()
        {
            _appIsThere = false;
            await Task.Yield();
            await RegisterAsync(stopping: true).ConfigureAwait(false);
            await _ended.CancelAsync().ConfigureAwait(false);
        }
    }

    // Who drains for longer than a table may take would be left out of it.
    private FrozenDictionary<string, ActorSettings> Bounded(IReadOnlyDictionary<string, ActorSettings> types)
    {
        var longest = _runtime.Options.ActorsDisseminateTimeout * DrainShare;
        return types.ToFrozenDictionary(t => t.Key, t => t.Value.DrainTimeout > longest ? t.Value with { DrainTimeout = longest } : t.Value, StringComparer.Ordinal);
    }

    // Brings what is hosted into line with what the app says. Types that go are deactivated before they are forgotten.
    private async Task RegisterAsync(bool stopping = false)
    {
        var superseded = Interlocked.Exchange(ref _registration, new CancellationTokenSource());
        await superseded.CancelAsync().ConfigureAwait(false);
        await _registering.WaitAsync().ConfigureAwait(false);
        var cancelled = Volatile.Read(ref _registration).Token;
        try
        {
            stopping |= _stopped is not null;
            var overStream = _streams.IsOpen;
            IActorApp app = overStream ? _streams : _http;
            var types = stopping || !_appIsThere ? FrozenDictionary<string, ActorSettings>.Empty : Bounded(overStream ? _streams.Types : _configured);
            var hosted = State.IsConfigured && !_betweenStores ? types : FrozenDictionary<string, ActorSettings>.Empty;
            _registered = types;
            var before = _hosted.Types.ToDictionary(t => t.Name, t => t.Settings, StringComparer.Ordinal);
            if (hosted.Count == 0 && before.Count == 0)
                return;
            var union = new Dictionary<string, ActorSettings>(before, StringComparer.Ordinal);
            foreach (var (type, settings) in hosted)
                union[type] = settings;
            if (hosted.Count > 0)
                _hosted.SetTypes(union, app);
            // No reminder of a type that goes is begun any more; those under way are drained with the actors.
            var reminders = Reminders.ConsumeAsync([.. before.Keys.Where(hosted.ContainsKey)]);
            try
            {
                await _directory.ReportAsync([.. hosted.Keys.Order(StringComparer.Ordinal)], cancelled).ConfigureAwait(false);
                _runtime.Metrics.Actors.Reported();
            }
            catch (Exception e) when (e is ApiException or StandIns.StandInException or RpcException)
            {
                _runtime.Metrics.Actors.ReportFailed(e.Message);
                LogNotReported(e.Message);
            }
            catch (OperationCanceledException)
            {
                // The next registration says what is in force.
            }

            if (stopping || hosted.Count < before.Count)
                await _hosted.KeepAsync((type, _) => hosted.ContainsKey(type), rebalanced: false).ConfigureAwait(false);
            await reminders.ConfigureAwait(false);
            _hosted.SetTypes(hosted, app);
            await Reminders.ConsumeAsync([.. hosted.Keys]).ConfigureAwait(false);
        }
        finally
        {
            _registering.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "the app's actor configuration is not usable, no actor is hosted: {Reason}")]
    private partial void LogMalformed(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "placement does not answer yet; actors are hosted once it does")]
    private partial void LogSlow();

    [LoggerMessage(Level = LogLevel.Error, Message = "placement could not be told what is hosted: {Reason}")]
    private partial void LogNotReported(string reason);
}
