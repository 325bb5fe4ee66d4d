using System.Globalization;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.State;
using DaprPlatform.Sidecar.Workflow;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Introspection;

/// <summary>An instance in a list.</summary>
/// <param name="CreatedAt">Null until its first turn.</param>
public sealed record WorkflowItem(string App, string Id, string Name, OrchestrationStatus Status, DateTimeOffset? CreatedAt, DateTimeOffset? UpdatedAt, string? CustomStatus);

/// <summary>Which instances; what is null does not count.</summary>
/// <param name="Name">Of the workflow, all of it.</param>
/// <param name="Text">A part of the id or of the workflow's name, in any case.</param>
/// <param name="From">Created then or later.</param>
/// <param name="To">Created before.</param>
public sealed record WorkflowFilter(string? App = null, IReadOnlySet<OrchestrationStatus>? Statuses = null, string? Name = null, string? Text = null, DateTimeOffset? From = null, DateTimeOffset? To = null);

/// <param name="Total">Instances altogether where nothing is filtered but the app; null: not counted.</param>
/// <param name="RowsRead">What the page took, for those who watch the cost.</param>
public sealed record WorkflowPage(IReadOnlyList<WorkflowItem> Items, string? Next, long? Total, int RowsRead);

/// <summary>An instance as it was last committed.</summary>
/// <param name="Waiting">Events that are durable and wait for their turn.</param>
public sealed record WorkflowDetail(string App, WorkflowState State, IReadOnlyList<HistoryEvent> History, IReadOnlyList<HistoryEvent> Waiting);

/// <summary>An instance has changed.</summary>
/// <param name="Item">Null: it was removed.</param>
public sealed record WorkflowChange(string App, string Id, WorkflowItem? Item);

/// <summary>
/// Workflow instances of all apps. Looks read the store, not the engines: they load nothing into them, wait for nobody and work while an app is down. Actions go to the engine of the
/// app, which needs a worker.
/// </summary>
public sealed class WorkflowBrowser
{
    private const int UnindexedAtATime = 200;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private readonly RuntimeView _view;
    private readonly Lock _lock = new();
    private Action<WorkflowChange>? _followers;

    internal WorkflowBrowser(RuntimeView view) => _view = view;

    /// <summary>
    /// Newest first, in the order in which the ids were first used. A look that passes over very many instances ends its page early and says where to go on. Apps whose instances are in a
    /// store of their own choice (such as <c>state.in-memory</c>) have no index: they come at the end of the first page, or alone and by id where the app is given.
    /// </summary>
    /// <param name="after">As <see cref="WorkflowPage.Next"/> gave it.</param>
    /// <exception cref="IntrospectionException">The cursor is none.</exception>
    public async Task<WorkflowPage> ListAsync(WorkflowFilter filter, string? after, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        if (filter.App is { } only && Unindexed().FirstOrDefault(u => u.App == only) is { Storage: { } alone })
            return await UnindexedAsync(only, alone, filter, after, limit, cancellationToken).ConfigureAwait(false);
        long? before = after is null ? null : long.TryParse(after, NumberStyles.None, CultureInfo.InvariantCulture, out var key) ? key : throw new IntrospectionException(IntrospectionRefusal.Invalid, "after is not the cursor of a page.");
        var tables = await TablesAsync().ConfigureAwait(false);
        var (hubs, page, total) = await tables.Store.ReadAsync(connection =>
        {
            var names = InstanceIndex.Hubs(connection);
            var wanted = filter.App is { } app ? names.Where(h => AppOf(h.Value) == app).Select(h => h.Key).ToHashSet() : null;
            if (wanted is { Count: 0 })
                return (names, new IndexedPage([], null, 0), (long?)0);
            var query = new InstanceQuery(wanted, filter.Statuses, filter.Name, filter.Text, filter.From?.ToUnixTimeMilliseconds(), filter.To?.ToUnixTimeMilliseconds(), before, limit);
            return (names, InstanceIndex.Read(connection, query), query.IsUnfiltered ? InstanceIndex.Count(connection, wanted) : null);
        }, snapshot: true).ConfigureAwait(false);
        var items = page.Instances.Select(i => new WorkflowItem(AppOf(hubs[i.Hub]), i.Id, i.Name, i.Status, Time(i.Created), Time(i.Updated), i.CustomStatus)).ToList();
        if (filter.App is null && after is null)
        {
            foreach (var (app, storage) in Unindexed())
                items.AddRange((await UnindexedAsync(app, storage, filter, null, limit, cancellationToken).ConfigureAwait(false)).Items);
        }

        return new WorkflowPage(items, page.Next?.ToString(CultureInfo.InvariantCulture), total, page.RowsRead);
    }

    /// <summary>Null when there is no such instance.</summary>
    public async Task<WorkflowDetail?> FindAsync(string app, string id, CancellationToken cancellationToken)
    {
        StoredInstance? stored;
        if (Unindexed().FirstOrDefault(u => u.App == app) is { Storage: { } storage })
        {
            stored = await storage.LoadAsync(id, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            var tables = await TablesAsync().ConfigureAwait(false);
            // The store that the app uses now before those it has used.
            var current = _view.Runtimes.Where(r => r.Options.AppId == app).Select(ActorStateStore.Find).OfType<KeyValueStateStore>().Select(s => s.ServerAddress).FirstOrDefault();
            stored = await tables.Store.ReadAsync(connection => InstanceIndex.Hubs(connection).Where(h => AppOf(h.Value) == app)
                .OrderBy(h => current is not null && h.Value.StartsWith(current + "|", StringComparison.Ordinal) ? 0 : 1).ThenByDescending(h => h.Key)
                .Select(h => EngineWorkflowStorage.Find(connection, h.Key, id)).FirstOrDefault(s => s is not null), snapshot: true).ConfigureAwait(false);
        }

        return stored is null ? null : new WorkflowDetail(app, State(id, stored), stored.History.Events, stored.Inbox);
    }

    /// <summary>Calls for each commit that changes an instance of an indexed app, on the store's writer thread: what is called must not block. Nothing is called for where nobody follows.</summary>
    /// <returns>Ends it.</returns>
    public IDisposable Follow(Action<WorkflowChange> changed)
    {
        ArgumentNullException.ThrowIfNull(changed);
        lock (_lock)
        {
            _followers += changed;
            WorkflowTables.Of(_view.Engine).Observer = Committed;
        }

        return new Following(this, changed);
    }

    /// <exception cref="IntrospectionException">No such app or instance, no worker, or the engine refuses.</exception>
    public async Task RaiseAsync(string app, string id, string name, string? data, CancellationToken cancellationToken)
    {
        await RequireAsync(app, id, cancellationToken).ConfigureAwait(false);
        await OnEngineAsync(app, once: true, (e, token) => Done(e.RaiseAsync(id, name, data, token)), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends an instance and its children; returns when it has ended.</summary>
    /// <inheritdoc cref="RaiseAsync"/>
    public async Task TerminateAsync(string app, string id, string? output, CancellationToken cancellationToken)
    {
        await RequireAsync(app, id, cancellationToken).ConfigureAwait(false);
        await OnEngineAsync(app, once: false, (e, token) => Done(e.TerminateAsync(id, output, recurse: true, token)), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc cref="RaiseAsync"/>
    public async Task SuspendAsync(string app, string id, string? reason, CancellationToken cancellationToken)
    {
        await RequireAsync(app, id, cancellationToken).ConfigureAwait(false);
        await OnEngineAsync(app, once: false, (e, token) => Done(e.SuspendAsync(id, reason, token)), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc cref="RaiseAsync"/>
    public async Task ResumeAsync(string app, string id, string? reason, CancellationToken cancellationToken)
    {
        await RequireAsync(app, id, cancellationToken).ConfigureAwait(false);
        await OnEngineAsync(app, once: false, (e, token) => Done(e.ResumeAsync(id, reason, token)), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes an instance that has ended, and its children. Returns how many were removed.</summary>
    /// <inheritdoc cref="RaiseAsync"/>
    public Task<int> PurgeAsync(string app, string id, CancellationToken cancellationToken) =>
        OnEngineAsync(app, once: true, (e, token) => e.PurgeAsync(id, recurse: true, force: false, token), cancellationToken);

    /// <summary>Runs an ended instance again from one of its actions, as a new one, whose id is returned.</summary>
    /// <param name="from">Number of the action.</param>
    /// <param name="newId">Null: made up.</param>
    /// <param name="input">Of the action; null: what it had.</param>
    /// <inheritdoc cref="RaiseAsync"/>
    public Task<string> RerunAsync(string app, string id, uint from, string? newId, string? input, CancellationToken cancellationToken)
    {
        var request = new RerunWorkflowFromEventRequest { SourceInstanceID = id, EventID = from, Input = input, OverwriteInput = input is not null };
        if (!string.IsNullOrEmpty(newId))
            request.NewInstanceID = newId;
        return OnEngineAsync(app, once: true, (e, token) => e.RerunAsync(request, token), cancellationToken);
    }

    private static string AppOf(string hub) => hub[(hub.LastIndexOf('|') + 1)..];

    private static DateTimeOffset? Time(long? milliseconds) => milliseconds is { } ms ? DateTimeOffset.FromUnixTimeMilliseconds(ms) : null;

    private static DateTimeOffset? Time(Timestamp? time) => time?.ToDateTimeOffset();

    private static WorkflowState State(string id, StoredInstance stored)
    {
        var history = stored.History;
        var start = stored.Inbox.Count > 0 ? stored.Inbox[0].ExecutionStarted : null;
        var summary = history.Summary([], start, isContinued: start is not null && history.Started is null && stored.Shape.Generation > 1);
        var state = new WorkflowState
        {
            InstanceId = id,
            Name = summary.Name,
            WorkflowStatus = summary.Status,
            CreatedTimestamp = summary.CreatedAt,
            LastUpdatedTimestamp = summary.UpdatedAt,
            StartedAt = history.StartedAt,
            Input = (history.Started ?? start)?.Input,
            CustomStatus = stored.Shape.CustomStatus,
            Output = history.Completed?.FailureDetails is null ? history.Completed?.Result : null,
            FailureDetails = history.Completed?.FailureDetails,
        };
        return state;
    }

    private async Task<WorkflowTables> TablesAsync()
    {
        var tables = WorkflowTables.Of(_view.Engine);
        await tables.ReadyAsync().ConfigureAwait(false);
        return tables;
    }

    // Apps whose instances are not in the tables of the engine.
    private IEnumerable<(string App, IWorkflowStorage Storage)> Unindexed()
    {
        foreach (var runtime in _view.Runtimes)
        {
            if (runtime.Options.PlacementHostAddress.Length > 0 && ActorStateStore.Find(runtime) is { } store && (store is not KeyValueStateStore || runtime.Engine.Options.SharesStandIns) && store.Features.HasFlag(StateFeatures.KeysLike))
                yield return (runtime.Options.AppId, new WorkflowStorage(store, runtime.Options.AppId, runtime.Options.Namespace));
        }
    }

    private static async Task<WorkflowPage> UnindexedAsync(string app, IWorkflowStorage storage, WorkflowFilter filter, string? after, int limit, CancellationToken cancellationToken)
    {
        var ids = await storage.ListAsync(after, UnindexedAtATime, cancellationToken).ConfigureAwait(false);
        var items = new List<WorkflowItem>();
        string? next = null;
        foreach (var id in ids)
        {
            if (items.Count == limit)
                break;
            next = id;
            if (await storage.LoadAsync(id, cancellationToken).ConfigureAwait(false) is not { } stored)
                continue;
            var state = State(id, stored);
            var item = new WorkflowItem(app, id, state.Name, state.WorkflowStatus, Time(state.CreatedTimestamp), Time(state.LastUpdatedTimestamp), state.CustomStatus);
            if (Matches(item, filter))
                items.Add(item);
        }

        return new WorkflowPage([.. items.OrderByDescending(i => i.CreatedAt)], ids.Count < UnindexedAtATime && next == ids.LastOrDefault() ? null : next, null, ids.Count);
    }

    private static bool Matches(WorkflowItem item, WorkflowFilter filter) =>
        (filter.Statuses is null || filter.Statuses.Contains(item.Status))
        && (filter.Name is null || item.Name == filter.Name)
        && (filter.Text is not { } text || item.Id.Contains(text, StringComparison.OrdinalIgnoreCase) || item.Name.Contains(text, StringComparison.OrdinalIgnoreCase))
        && (filter.From is null || item.CreatedAt >= filter.From)
        && (filter.To is null || item.CreatedAt < filter.To);

    private void Committed(CommittedInstance commit)
    {
        var app = AppOf(commit.Hub);
        var change = new WorkflowChange(app, commit.Id, commit is { IsRemoved: false, Summary: { } s } ? new WorkflowItem(app, commit.Id, s.Name, s.Status, Time(s.CreatedAt), Time(s.UpdatedAt), null) : null);
        _followers?.Invoke(change);
    }

    private void Leave(Action<WorkflowChange> changed)
    {
        lock (_lock)
        {
            _followers -= changed;
            if (_followers is null)
                WorkflowTables.Of(_view.Engine).Observer = null;
        }
    }

    // An event to an instance that has ended would be taken and forgotten.
    private async Task RequireAsync(string app, string id, CancellationToken cancellationToken)
    {
        var detail = await FindAsync(app, id, cancellationToken).ConfigureAwait(false) ?? throw new IntrospectionException(IntrospectionRefusal.NotFound, $"{app} has no workflow instance {id}.");
        if (WorkflowClient.IsTerminal(detail.State.WorkflowStatus))
            throw new IntrospectionException(IntrospectionRefusal.Conflict, $"{id} has ended.");
    }

    private async Task<T> OnEngineAsync<T>(string app, bool once, Func<IWorkflowEngine, CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        var runtime = _view.RuntimeOf(app);
        var api = runtime.Blocks.OfType<WorkflowApi>().First();
        if (WorkflowHubs.Of(_view.Engine).Own(HubKey.Of(runtime.Options)) is WorkflowClient { Hub.HasWorkers: false } or null && api.ConnectedWorkers == 0)
            throw new IntrospectionException(IntrospectionRefusal.Unavailable, $"{app} has no workflow worker connected.");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        try
        {
            return await api.OnEngineAsync(e => work(e, limit.Token), once, limit.Token).ConfigureAwait(false);
        }
        catch (WorkflowException e)
        {
            throw new IntrospectionException(e.Refusal switch
            {
                WorkflowRefusal.NoSuchInstance or WorkflowRefusal.NotFound => IntrospectionRefusal.NotFound,
                WorkflowRefusal.InvalidRequest => IntrospectionRefusal.Invalid,
                _ => IntrospectionRefusal.Conflict,
            }, e.Message, e);
        }
        catch (Exception e) when (e is HubMovedException or ApiException)
        {
            throw new IntrospectionException(IntrospectionRefusal.Unavailable, e.Message, e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IntrospectionException(IntrospectionRefusal.Unavailable, $"It was asked for, but {app} has not done it within {Patience.TotalSeconds:0} s; it may yet.", e);
        }
    }

    private static async Task<bool> Done(Task work)
    {
        await work.ConfigureAwait(false);
        return true;
    }

    private sealed class Following(WorkflowBrowser browser, Action<WorkflowChange> changed) : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
                browser.Leave(changed);
        }
    }
}
