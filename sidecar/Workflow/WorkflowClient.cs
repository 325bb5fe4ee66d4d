using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>The engine of this process: what clients can do with instances, on top of the hub.</summary>
internal sealed class WorkflowClient(WorkflowHub hub) : IWorkflowEngine
{
    public WorkflowHub Hub => hub;

    public bool IsGone => hub.IsClosed;

    /// <summary>This engine as another app has it.</summary>
    public IWorkflowEngine For(WorkflowCaller caller) => new GuardedEngine(this, caller);

    public Task ServeWorkerAsync(WorkerProfile worker, IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken) => hub.ServeWorkerAsync(worker, writer, cancellationToken);

    public Task CompleteTurnAsync(WorkflowResponse response, CancellationToken cancellationToken) => hub.CompleteTurnAsync(response, cancellationToken);

    public Task CompleteActivityAsync(ActivityResponse response, CancellationToken cancellationToken) => hub.CompleteActivityAsync(response, cancellationToken);

    public Task<ActivityResponse> RunActivityAsync(ActivityRequest request, CancellationToken cancellationToken) => hub.RunActivityAsync(request, cancellationToken);

    public Task<HistoryEvent> RunChildAsync(HistoryEvent start, PropagatedHistory? propagated, CancellationToken cancellationToken) => hub.RunChildAsync(start, propagated, cancellationToken);

    public Task<bool> PostAsync(string id, HistoryEvent e, CancellationToken cancellationToken) => hub.PostAsync(id, e, cancellationToken);

    public Task<string> RerunAsync(RerunWorkflowFromEventRequest request, CancellationToken cancellationToken) => WorkflowRerun.RunAsync(hub, request, cancellationToken);

    public async Task StartAsync(string id, string name, string? input, Timestamp? at, TraceContext? trace, CancellationToken cancellationToken)
    {
        await hub.WorkerConnectedAsync(cancellationToken).ConfigureAwait(false);
        var start = hub.Event(new HistoryEvent
        {
            Router = hub.OwnRouter(),
            ExecutionStarted = new ExecutionStartedEvent
            {
                Name = name,
                Input = input,
                WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = id, ExecutionId = Guid.NewGuid().ToString() },
                ScheduledStartTimestamp = at,
                ParentTraceContext = trace,
            },
        });
        hub.Telemetry.Create(start.ExecutionStarted);
        Task durable = Task.CompletedTask;
        Task started = Task.CompletedTask;
        for (var isChecked = false; ; isChecked = true)
        {
            HistoryEvent[] children = [];
            await hub.OnAsync(id, instance =>
            {
                if (instance.Exists && instance.History.Completed is null)
                    throw new WorkflowException(WorkflowRefusal.AlreadyExists, $"an active workflow with ID '{id}' already exists");
                children = isChecked ? [] : Children(instance.History.Events);
                if (children.Length > 0)
                    return Task.FromResult(false);
                durable = instance.StartAsync(start);
                if (at is null || at.ToDateTimeOffset() <= hub.Time.GetUtcNow())
                    started = instance.WaitAsync(static status => status != OrchestrationStatus.Pending);
                return Task.FromResult(true);
            }, cancellationToken).ConfigureAwait(false);
            if (children.Length == 0)
                break;
            if (await RunningChildAsync(hub.AppId, children, [(hub.AppId, id)], cancellationToken).ConfigureAwait(false) is { } running)
                throw new WorkflowException(WorkflowRefusal.AlreadyExists, $"cannot recreate workflow with ID '{id}': {running}");
        }

        await durable.WaitAsync(cancellationToken).ConfigureAwait(false);
        await AwaitAsync(id, started, cancellationToken).ConfigureAwait(false);
    }

    public Task<WorkflowState?> GetAsync(string id, bool withPayloads, CancellationToken cancellationToken) =>
        hub.OnAsync(id, instance => Task.FromResult(instance.Exists ? Describe(instance, withPayloads) : null), cancellationToken);

    public Task<IReadOnlyList<HistoryEvent>?> HistoryAsync(string id, CancellationToken cancellationToken) =>
        hub.OnAsync(id, instance => Task.FromResult<IReadOnlyList<HistoryEvent>?>(instance.Exists ? [.. instance.History.Events] : null), cancellationToken);

    public Task<WorkflowState?> WaitAsync(string id, bool forEnd, bool withPayloads, CancellationToken cancellationToken) =>
        WaitAsync(id, forEnd ? IsTerminal : static s => s != OrchestrationStatus.Pending, withPayloads, cancellationToken);

    private async Task<WorkflowState?> WaitAsync(string id, Func<OrchestrationStatus, bool> reached, bool withPayloads, CancellationToken cancellationToken)
    {
        Task wait = Task.CompletedTask;
        await hub.OnAsync(id, instance =>
        {
            wait = instance.WaitAsync(reached);
            return Task.FromResult(true);
        }, cancellationToken).ConfigureAwait(false);
        await AwaitAsync(id, wait, cancellationToken).ConfigureAwait(false);
        return await GetAsync(id, withPayloads, cancellationToken).ConfigureAwait(false);
    }

    public async Task RaiseAsync(string id, string name, string? input, CancellationToken cancellationToken) =>
        await SendAsync(id, new HistoryEvent { EventRaised = new EventRaisedEvent { Name = name, Input = input } }, cancellationToken).ConfigureAwait(false);

    public async Task TerminateAsync(string id, string? output, bool recurse, CancellationToken cancellationToken)
    {
        await SendAsync(id, new HistoryEvent { ExecutionTerminated = new ExecutionTerminatedEvent { Input = output, Recurse = recurse } }, cancellationToken).ConfigureAwait(false);
        await WaitAsync(id, IsTerminal, withPayloads: false, cancellationToken).ConfigureAwait(false);
    }

    public async Task SuspendAsync(string id, string? reason, CancellationToken cancellationToken)
    {
        await SendAsync(id, new HistoryEvent { ExecutionSuspended = new ExecutionSuspendedEvent { Input = reason } }, cancellationToken).ConfigureAwait(false);
        await WaitAsync(id, static s => s == OrchestrationStatus.Suspended || IsTerminal(s), withPayloads: false, cancellationToken).ConfigureAwait(false);
    }

    public async Task ResumeAsync(string id, string? reason, CancellationToken cancellationToken)
    {
        await SendAsync(id, new HistoryEvent { ExecutionResumed = new ExecutionResumedEvent { Input = reason } }, cancellationToken).ConfigureAwait(false);
        await WaitAsync(id, static s => s == OrchestrationStatus.Running || IsTerminal(s), withPayloads: false, cancellationToken).ConfigureAwait(false);
    }

    public async Task<int> PurgeAsync(string id, bool recurse, bool force, CancellationToken cancellationToken)
    {
        // By force also what has no worker any more that could end it, and what cannot be read.
        if (!force)
        {
            await hub.WorkerConnectedAsync(cancellationToken).ConfigureAwait(false);
            return await RemoveAsync(id, recurse, force, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            return await RemoveAsync(id, recurse, force, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidDataException)
        {
            await hub.Storage.EraseAsync(id, cancellationToken).ConfigureAwait(false);
            return 1;
        }
    }

    private async Task<int> RemoveAsync(string id, bool recurse, bool force, CancellationToken cancellationToken)
    {
        var children = await hub.OnAsync(id, instance =>
        {
            if (!instance.Exists)
                throw WorkflowException.NoSuchInstance();
            if (instance.History.Completed is null && !force)
                throw new WorkflowException(WorkflowRefusal.NotCompleted, "orchestration has not yet completed");
            return Task.FromResult(Children(instance.History.Events));
        }, cancellationToken).ConfigureAwait(false);
        var deleted = 0;
        if (recurse)
        {
            foreach (var child in children)
            {
                try
                {
                    deleted += await PurgeChildAsync(child, force, cancellationToken).ConfigureAwait(false);
                }
                catch (WorkflowException e) when (e.Refusal == WorkflowRefusal.NoSuchInstance)
                {
                    // Purged before.
                }
                catch (WorkflowException e)
                {
                    throw new WorkflowException(e.Refusal, $"failed to purge child workflow: {e.Message}");
                }
            }
        }

        await hub.OnAsync(id, async instance =>
        {
            await instance.PurgeAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }, cancellationToken).ConfigureAwait(false);
        return deleted + 1;
    }

    private async Task<int> PurgeChildAsync(HistoryEvent created, bool force, CancellationToken cancellationToken)
    {
        var id = created.ChildWorkflowInstanceCreated.InstanceId;
        if (!hub.IsElsewhere(created, out var app))
            return await PurgeAsync(id, recurse: true, force, cancellationToken).ConfigureAwait(false);
        // Of an app that is not there nothing can be removed; its instances are its own.
        return await hub.Peers.FindAsync(app, cancellationToken).ConfigureAwait(false) is { } peer ? await peer.PurgeAsync(id, recurse: true, force, cancellationToken).ConfigureAwait(false) : 0;
    }

    public async Task<(IReadOnlyList<string> Ids, string? Next)> ListAsync(string? token, int pageSize, CancellationToken cancellationToken)
    {
        hub.Worked();
        var ids = await hub.Storage.ListAsync(string.IsNullOrEmpty(token) ? null : token, pageSize + 1, cancellationToken).ConfigureAwait(false);
        return ids.Count > pageSize ? ([.. ids.Take(pageSize)], ids[pageSize - 1]) : (ids, null);
    }

    public static bool IsTerminal(OrchestrationStatus status) =>
        status is OrchestrationStatus.Completed or OrchestrationStatus.Failed or OrchestrationStatus.Canceled or OrchestrationStatus.Terminated;

    private static HistoryEvent[] Children(IEnumerable<HistoryEvent> events) => [.. events.Where(e => e.ChildWorkflowInstanceCreated is not null)];

    // An id is free once everything that its instance has made has ended, children of children too, wherever they are. Null: it has. Of an app that is not there, or does not say, nothing is known.
    private async Task<string?> RunningChildAsync(string app, HistoryEvent[] children, HashSet<(string App, string Id)> seen, CancellationToken cancellationToken)
    {
        foreach (var created in children)
        {
            var id = created.ChildWorkflowInstanceCreated.InstanceId;
            var home = created.Router is { HasTargetAppID: true, TargetAppID.Length: > 0 } router ? router.TargetAppID : app;
            if (!seen.Add((home, id)) || await EventsAsync(home, id).ConfigureAwait(false) is not { } events)
                continue;
            var running = events.Any(e => e.ExecutionCompleted is not null)
                ? await RunningChildAsync(home, Children(events), seen, cancellationToken).ConfigureAwait(false)
                : "orchestration has not yet completed";
            if (running is not null)
                return $"child workflow '{id}': {running}";
        }

        return null;

        async Task<IReadOnlyList<HistoryEvent>?> EventsAsync(string home, string id)
        {
            if (home == hub.AppId)
                return await HistoryAsync(id, cancellationToken).ConfigureAwait(false);
            try
            {
                return await hub.Peers.FindAsync(home, cancellationToken).ConfigureAwait(false) is { } peer ? await peer.HistoryAsync(id, cancellationToken).ConfigureAwait(false) : null;
            }
            catch (Exception e) when (e is WorkflowException or HubMovedException)
            {
                return null;
            }
        }
    }

    private async Task SendAsync(string id, HistoryEvent e, CancellationToken cancellationToken)
    {
        await hub.WorkerConnectedAsync(cancellationToken).ConfigureAwait(false);
        if (!await hub.PostAsync(id, hub.Event(e), cancellationToken).ConfigureAwait(false))
            throw WorkflowException.NoSuchInstance();
    }

    private async Task AwaitAsync(string id, Task wait, CancellationToken cancellationToken)
    {
        try
        {
            await wait.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await hub.OnAsync(id, instance =>
            {
                instance.Forget(wait);
                return Task.FromResult(true);
            }, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    private static WorkflowState Describe(WorkflowInstance instance, bool withPayloads)
    {
        var history = instance.History;
        var state = new WorkflowState { InstanceId = instance.Id, WorkflowStatus = instance.Status };
        if ((instance.Started ?? (history.IsStalled ? instance.StartInInbox?.ExecutionStarted : null)) is not { } started)
        {
            // Dapr shows the zero time of Go until the first turn.
            state.CreatedTimestamp = state.LastUpdatedTimestamp = new Timestamp { Seconds = -62135596800 };
            return state;
        }

        state.Name = started.Name;
        state.CreatedTimestamp = history.CreatedAt ?? instance.StartInInbox?.Timestamp ?? new Timestamp { Seconds = -62135596800 };
        state.LastUpdatedTimestamp = history.LastUpdatedAt ?? state.CreatedTimestamp;
        state.StartedAt = history.StartedAt;
        if (!withPayloads)
            return state;
        state.Input = started.Input;
        state.CustomStatus = instance.CustomStatus;
        state.Output = history.Completed?.FailureDetails is null ? history.Completed?.Result : null;
        state.FailureDetails = history.Completed?.FailureDetails;
        return state;
    }
}
