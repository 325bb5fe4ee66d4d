using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.StandIns;

namespace DaprPlatform.Sidecar.Actors.Placement;

/// <summary>
/// Where actors are, as one sidecar sees it, and its membership. It joins when it is first needed: a sidecar that has nothing to do with actors has nothing to do
/// with placement. While a table is coming, look-ups of actors that it moves wait for it.
/// </summary>
internal sealed class ActorDirectory : IPlacementListener, IAsyncDisposable
{
    private static readonly TimeSpan JoinLimit = TimeSpan.FromSeconds(10);
    private readonly SidecarRuntime _runtime;
    private readonly Func<PlacementTable, Task> _leave;
    private readonly SemaphoreSlim _joining = new(1);
    private volatile View _view = new(PlacementTable.Empty, null);
    private volatile IPlacementMembership? _membership;
    private bool _ended;

    /// <param name="leave">Ends what is active here and not in the given table; called before the table is in force.</param>
    public ActorDirectory(SidecarRuntime runtime, Func<PlacementTable, Task> leave)
    {
        _runtime = runtime;
        _leave = leave;
        Self = new ActorHost(Guid.NewGuid().ToString("N"), runtime.Options.AppId, runtime.InternalAddress.ToString(), []);
    }

    /// <summary>This sidecar; its types are in the tables only.</summary>
    public ActorHost Self { get; }

    /// <summary>A table of placement is in force here.</summary>
    public bool IsJoined => _membership is not null;

    /// <summary>The host of an actor; null where nobody hosts its type.</summary>
    public async ValueTask<ActorHost?> FindAsync(string type, string id, CancellationToken cancellationToken)
    {
        if (_membership is null)
            await JoinInTimeAsync(type, id, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            var view = _view;
            var host = view.Current.Find(type, id);
            if (view.Next is null || view.Next.Find(type, id)?.Id == host?.Id)
                return host;
            await view.Changed.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The actor belongs to this sidecar, also by the table that is coming.</summary>
    public bool IsHere(string type, string id)
    {
        var view = _view;
        return (view.Next ?? view.Current).Find(type, id)?.Id == Self.Id;
    }

    /// <summary>What look-ups are answered from, for <see cref="ChangeAsync"/>.</summary>
    public object Seen => _view;

    /// <summary>Completes when look-ups are answered from something else than what was seen, or at the limit.</summary>
    public async ValueTask ChangeAsync(object seen, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            await ((View)seen).Changed.Task.WaitAsync(limit, _runtime.Time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Nothing has changed; the caller looks again all the same.
        }
    }

    /// <summary>Hosts these types from now on and no others.</summary>
    public async Task ReportAsync(IReadOnlyList<string> types, CancellationToken cancellationToken)
    {
        if (_membership is null && types.Count == 0)
            return;
        var membership = _membership ?? await JoinAsync(cancellationToken).ConfigureAwait(false);
        await membership.ReportAsync(types, cancellationToken).ConfigureAwait(false);
    }

    public async Task PrepareAsync(PlacementTable next)
    {
        Replace(_view with { Next = next });
        await _leave(next).ConfigureAwait(false);
    }

    public void Commit(PlacementTable table)
    {
        Replace(new View(table, null));
        _runtime.Metrics.Actors.TableReceived();
    }

    public async ValueTask DisposeAsync()
    {
        await _joining.WaitAsync().ConfigureAwait(false);
        _ended = true;
        _joining.Release();
        if (_membership is { } membership)
            await membership.DisposeAsync().ConfigureAwait(false);
    }

    private async Task JoinInTimeAsync(string type, string id, CancellationToken cancellationToken)
    {
        using var own = new CancellationTokenSource(JoinLimit, _runtime.Time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, own.Token);
        try
        {
            await JoinAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw ActorErrors.NoAddress(type, id);
        }
        catch (StandInException e)
        {
            throw ActorErrors.Invoke(e.Message);
        }
    }

    private async ValueTask<IPlacementMembership> JoinAsync(CancellationToken cancellationToken)
    {
        await _joining.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_ended)
                throw ActorErrors.Closed();
            if (_membership is { } membership)
                return membership;
            var options = _runtime.Options;
            var placement = await _runtime.Engine.StandIns.GetAsync(StandInKinds.Placement, StandInAddress.Of(options.PlacementHostAddress, 50005), cancellationToken).ConfigureAwait(false);
            return _membership = await placement.JoinAsync(options.Namespace, Self, this, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _joining.Release();
        }
    }

    private void Replace(View view)
    {
        var before = _view;
        _view = view with { Changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously) };
        before.Changed.TrySetResult();
    }

    private sealed record View(PlacementTable Current, PlacementTable? Next)
    {
        public TaskCompletionSource Changed { get; init; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
