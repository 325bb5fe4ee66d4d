using System.Collections.Concurrent;
using System.Collections.Frozen;
using DaprPlatform.Sidecar.Actors.Placement;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Scheduling;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>A type that the app of this sidecar hosts, and those of its actors that are active.</summary>
/// <param name="settings">Those of the registration that is in force; actors that are active keep theirs.</param>
internal sealed class HostedType(string name, ActorSettings settings, IActorApp app)
{
    public string Name => name;

    public ActorSettings Settings => settings;

    public IActorApp App => app;

    public ConcurrentDictionary<string, ActorInstance> Active { get; private init; } = new(StringComparer.Ordinal);

    /// <summary>The same actors under another registration.</summary>
    public HostedType With(ActorSettings newSettings, IActorApp newApp) => new(name, newSettings, newApp) { Active = Active };
}

/// <summary>One activation of an actor.</summary>
internal sealed class ActorInstance(string type, string id, ActorSettings settings)
{
    private int _closing;

    public string Type => type;

    public string Id => id;

    public ActorSettings Settings => settings;

    public TurnLock Turns { get; } = new(settings.MaxDepth);

    /// <summary>Ticks of the time (UTC) when it was last called.</summary>
    public long LastUsed;

    /// <summary>Cancelled when what is under way is not waited for any longer.</summary>
    public CancellationTokenSource Cut { get; } = new();

    /// <summary>Completes when the app has deactivated it: another activation may begin.</summary>
    public TaskCompletionSource Gone { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>True for the one who is to deactivate it.</summary>
    public bool TryBeginClosing() => Interlocked.Exchange(ref _closing, 1) == 0;
}

/// <summary>
/// The actors of one sidecar: activated by the first call, one turn at a time, deactivated when they are idle, when they move, when the type is not hosted any more.
/// </summary>
internal sealed partial class HostedActors : IDisposable
{
    // Thousands may become idle at the same time; the app is told of so many at once.
    private const int DeactivatedTogether = 32;
    private static readonly TimeSpan DeactivationLimit = TimeSpan.FromSeconds(10);
    private readonly TimeProvider _time;
    private readonly ActorMetrics _metrics;
    private readonly ILogger _logger;
    private readonly TimerQueue<ActorInstance> _idle;
    private readonly Action? _changed;
    private readonly SemaphoreSlim _slots = new(DeactivatedTogether);
    private volatile FrozenDictionary<string, HostedType> _types = FrozenDictionary<string, HostedType>.Empty;

    /// <param name="changed">Called when a type or an active actor came or went.</param>
    public HostedActors(TimeProvider time, ActorMetrics metrics, ILogger logger, Action? changed = null)
    {
        _changed = changed;
        _time = time;
        _metrics = metrics;
        _logger = logger;
        _idle = new TimerQueue<ActorInstance>(time, Idle);
    }

    /// <summary>Whether an actor belongs to this sidecar; set before the first type.</summary>
    public Func<string, string, bool> IsHere { get; set; } = static (_, _) => true;

    public IReadOnlyCollection<HostedType> Types => _types.Values;

    public bool IsHosted(string type) => _types.ContainsKey(type);

    public bool IsActive(string type, string id) => _types.TryGetValue(type, out var hosted) && hosted.Active.ContainsKey(id);

    /// <summary>Active actors of a type.</summary>
    public int CountOf(string type) => _types.TryGetValue(type, out var hosted) ? hosted.Active.Count : 0;

    /// <summary>Replaces the types that are hosted. Actors of those that stay are not touched; those of types that go have been deactivated before.</summary>
    public void SetTypes(IReadOnlyDictionary<string, ActorSettings> types, IActorApp app)
    {
        var before = _types;
        _types = types.ToFrozenDictionary(t => t.Key, t => before.TryGetValue(t.Key, out var known) ? known.With(t.Value, app) : new HostedType(t.Key, t.Value, app), StringComparer.Ordinal);
        _changed?.Invoke();
    }

    /// <summary>Runs something within a turn of an actor; activates it first.</summary>
    /// <param name="reentrancyId">Of the chain of calls; for types without reentrancy it does not count.</param>
    /// <exception cref="ActorMovedException">The actor does not belong here.</exception>
    /// <exception cref="ApiException">The chain is too deep.</exception>
    public async ValueTask<T> RunAsync<TState, T>(string type, string id, string? reentrancyId, TState state, Func<TState, HostedType, string?, CancellationToken, ValueTask<T>> run, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (hosted, instance) = Activate(type, id);
            var chain = instance.Settings.IsReentrant ? reentrancyId ?? Guid.NewGuid().ToString() : null;
            switch (await EnterAsync(instance, chain, cancellationToken).ConfigureAwait(false))
            {
                case TurnEntry.TooDeep:
                    throw ActorErrors.StackDepth();
                case TurnEntry.Closing:
                    await instance.Gone.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
                    continue;
            }

            Volatile.Write(ref instance.LastUsed, _time.GetUtcNow().UtcTicks);
            var cut = instance.Cut.Token;
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, cut);
            try
            {
                either.Token.ThrowIfCancellationRequested();
                return await run(state, hosted, chain, either.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cut.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new ActorCallException(ActorErrors.Cut);
            }
            finally
            {
                instance.Turns.Exit();
            }
        }
    }

    /// <summary>Deactivates the actors that the condition does not hold for; completes when the app knows.</summary>
    public async Task KeepAsync(Func<string, string, bool> stays, bool rebalanced)
    {
        var leaving = new List<(HostedType Type, ActorInstance Instance)>();
        foreach (var type in _types.Values)
        {
            foreach (var instance in type.Active.Values)
            {
                if (!stays(type.Name, instance.Id))
                    leaving.Add((type, instance));
            }
        }

        // All stop to take calls at once.
        await Task.WhenAll(leaving.Select(async l =>
        {
            if (rebalanced)
                _metrics.Rebalanced(l.Type.Name);
            await DeactivateAsync(l.Type, l.Instance, l.Instance.Settings.Drain ? l.Instance.Settings.DrainTimeout : TimeSpan.Zero).ConfigureAwait(false);
        })).ConfigureAwait(false);
    }

    public void Dispose() => _idle.Dispose();

    private async ValueTask<TurnEntry> EnterAsync(ActorInstance instance, string? chain, CancellationToken cancellationToken)
    {
        var entering = instance.Turns.EnterAsync(chain, cancellationToken);
        if (entering.IsCompleted)
            return await entering.ConfigureAwait(false);
        _metrics.Pending(instance.Type, 1);
        try
        {
            return await entering.ConfigureAwait(false);
        }
        finally
        {
            _metrics.Pending(instance.Type, -1);
        }
    }

    private (HostedType Hosted, ActorInstance Instance) Activate(string type, string id)
    {
        if (!_types.TryGetValue(type, out var hosted))
            throw new ActorMovedException(type, id);
        if (hosted.Active.TryGetValue(id, out var active))
            return (hosted, active);
        if (!IsHere(type, id))
            throw new ActorMovedException(type, id);
        var instance = new ActorInstance(type, id, hosted.Settings) { LastUsed = _time.GetUtcNow().UtcTicks };
        active = hosted.Active.GetOrAdd(id, instance);
        if (ReferenceEquals(active, instance))
        {
            // A table may have come in between; from here on the one who prepares for it sees the actor.
            if (!IsHere(type, id) && instance.TryBeginClosing())
            {
                _ = instance.Turns.CloseAsync();
                hosted.Active.TryRemove(KeyValuePair.Create(id, instance));
                instance.Gone.TrySetResult();
                throw new ActorMovedException(type, id);
            }

            _metrics.Pending(type, 0);
            _idle.Add(instance, new DateTimeOffset(instance.LastUsed, TimeSpan.Zero) + instance.Settings.IdleTimeout);
            _changed?.Invoke();
        }

        return (hosted, active);
    }

    private void Idle(ActorInstance instance)
    {
        if (instance.Gone.Task.IsCompleted)
            return;
        var due = new DateTimeOffset(Volatile.Read(ref instance.LastUsed), TimeSpan.Zero) + instance.Settings.IdleTimeout;
        if (due > _time.GetUtcNow())
            _idle.Add(instance, due);
        else if (_types.TryGetValue(instance.Type, out var type))
            _ = DeactivateAsync(type, instance, TimeSpan.Zero);
    }

    // A call that is still under way after its time is cut off.
    private async Task DeactivateAsync(HostedType type, ActorInstance instance, TimeSpan drain)
    {
        if (!instance.TryBeginClosing())
        {
            await instance.Gone.Task.ConfigureAwait(false);
            return;
        }

        try
        {
            var empty = instance.Turns.CloseAsync();
            if (!empty.IsCompleted && drain > TimeSpan.Zero)
                await empty.WaitAsync(drain, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!empty.IsCompleted)
                await instance.Cut.CancelAsync().ConfigureAwait(false);
            await empty.ConfigureAwait(false);
            await _slots.WaitAsync().ConfigureAwait(false);
            try
            {
                using var limit = new CancellationTokenSource(DeactivationLimit, _time);
                await type.App.DeactivateAsync(type.Name, instance.Id, limit.Token).ConfigureAwait(false);
                _metrics.Deactivated(type.Name);
            }
            finally
            {
                _slots.Release();
            }
        }
        catch (Exception e)
        {
            _metrics.DeactivationFailed(type.Name);
            LogNotDeactivated(type.Name, instance.Id, e.Message);
        }
        finally
        {
            type.Active.TryRemove(KeyValuePair.Create(instance.Id, instance));
            instance.Gone.TrySetResult();
            _changed?.Invoke();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "failed to deactivate actor {Type}||{Id}: {Reason}")]
    private partial void LogNotDeactivated(string type, string id, string reason);
}
