using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Workflow;

internal enum WorkflowRefusal
{
    NoSuchInstance,
    NotCompleted,
    AlreadyExists,
    InvalidRequest,
    NotFound,
}

/// <summary>The engine refuses an operation on an instance; each face has its own code and words around it.</summary>
internal sealed class WorkflowException(WorkflowRefusal refusal, string message) : Exception(message)
{
    public WorkflowRefusal Refusal => refusal;

    public static WorkflowException NoSuchInstance() => new(WorkflowRefusal.NoSuchInstance, "no such instance exists");
}

/// <summary>What clients can do with instances; both faces of the management API and the client rpcs of TaskHubSidecarService stand on it.</summary>
internal sealed class WorkflowClient(WorkflowHub hub)
{
    /// <summary>Starts an instance; ends when its first turn has been answered, at once when the start is for later.</summary>
    /// <exception cref="WorkflowException">An active instance, or one whose child still runs, has the id.</exception>
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
        Task durable = Task.CompletedTask;
        Task started = Task.CompletedTask;
        await hub.OnAsync(id, async instance =>
        {
            if (instance.Exists && instance.History.Completed is null)
                throw new WorkflowException(WorkflowRefusal.AlreadyExists, $"an active workflow with ID '{id}' already exists");
            foreach (var child in instance.History.OpenChildren.Values.Select(c => c.ChildWorkflowInstanceCreated.InstanceId))
            {
                if (await hub.OnAsync(child, c => Task.FromResult(c.Exists && c.History.Completed is null), cancellationToken).ConfigureAwait(false))
                    throw new WorkflowException(WorkflowRefusal.AlreadyExists, $"cannot recreate workflow with ID '{id}': child workflow '{child}': orchestration has not yet completed");
            }

            durable = instance.StartAsync(start);
            if (at is null || at.ToDateTimeOffset() <= hub.Time.GetUtcNow())
                started = instance.WaitAsync(static status => status != OrchestrationStatus.Pending);
            return true;
        }, cancellationToken).ConfigureAwait(false);
        await durable.WaitAsync(cancellationToken).ConfigureAwait(false);
        await AwaitAsync(id, started, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The state of an instance; null when there is none. Needs no worker.</summary>
    public Task<WorkflowState?> GetAsync(string id, bool withPayloads, CancellationToken cancellationToken) =>
        hub.OnAsync(id, instance => Task.FromResult(instance.Exists ? Describe(instance, withPayloads) : null), cancellationToken);

    public Task<IReadOnlyList<HistoryEvent>?> HistoryAsync(string id, CancellationToken cancellationToken) =>
        hub.OnAsync(id, instance => Task.FromResult<IReadOnlyList<HistoryEvent>?>(instance.Exists ? [.. instance.History.Events] : null), cancellationToken);

    /// <summary>Waits until the status satisfies the condition. Null when there is no such instance.</summary>
    public async Task<WorkflowState?> WaitAsync(string id, Func<OrchestrationStatus, bool> reached, bool withPayloads, CancellationToken cancellationToken)
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
        await PostAsync(id, new HistoryEvent { EventRaised = new EventRaisedEvent { Name = name, Input = input } }, cancellationToken).ConfigureAwait(false);

    /// <summary>Ends an instance, and with <paramref name="recurse"/> its children; waits until it has ended.</summary>
    public async Task TerminateAsync(string id, string? output, bool recurse, CancellationToken cancellationToken)
    {
        await PostAsync(id, new HistoryEvent { ExecutionTerminated = new ExecutionTerminatedEvent { Input = output, Recurse = recurse } }, cancellationToken).ConfigureAwait(false);
        await WaitAsync(id, IsTerminal, withPayloads: false, cancellationToken).ConfigureAwait(false);
    }

    public async Task SuspendAsync(string id, string? reason, CancellationToken cancellationToken)
    {
        await PostAsync(id, new HistoryEvent { ExecutionSuspended = new ExecutionSuspendedEvent { Input = reason } }, cancellationToken).ConfigureAwait(false);
        await WaitAsync(id, static s => s == OrchestrationStatus.Suspended || IsTerminal(s), withPayloads: false, cancellationToken).ConfigureAwait(false);
    }

    public async Task ResumeAsync(string id, string? reason, CancellationToken cancellationToken)
    {
        await PostAsync(id, new HistoryEvent { ExecutionResumed = new ExecutionResumedEvent { Input = reason } }, cancellationToken).ConfigureAwait(false);
        await WaitAsync(id, static s => s == OrchestrationStatus.Running || IsTerminal(s), withPayloads: false, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes an instance that has ended, and with <paramref name="recurse"/> its children first. Returns how many were removed.</summary>
    /// <exception cref="WorkflowException">There is none, or one has not ended and <paramref name="force"/> is not given.</exception>
    public async Task<int> PurgeAsync(string id, bool recurse, bool force, CancellationToken cancellationToken)
    {
        await hub.WorkerConnectedAsync(cancellationToken).ConfigureAwait(false);
        var children = await hub.OnAsync(id, instance =>
        {
            if (!instance.Exists)
                throw WorkflowException.NoSuchInstance();
            if (instance.History.Completed is null && !force)
                throw new WorkflowException(WorkflowRefusal.NotCompleted, "orchestration has not yet completed");
            return Task.FromResult(instance.History.Events.Select(e => e.ChildWorkflowInstanceCreated?.InstanceId).OfType<string>().ToArray());
        }, cancellationToken).ConfigureAwait(false);
        var deleted = 0;
        if (recurse)
        {
            foreach (var child in children)
            {
                try
                {
                    deleted += await PurgeAsync(child, recurse, force, cancellationToken).ConfigureAwait(false);
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

    /// <summary>Ids of instances in the order of their keys; the token of the next page is null at the end.</summary>
    public async Task<(IReadOnlyList<string> Ids, string? Next)> ListAsync(string? token, int pageSize, CancellationToken cancellationToken)
    {
        var ids = await hub.Storage.ListAsync(string.IsNullOrEmpty(token) ? null : token, pageSize + 1, cancellationToken).ConfigureAwait(false);
        return ids.Count > pageSize ? ([.. ids.Take(pageSize)], ids[pageSize - 1]) : (ids, null);
    }

    public static bool IsTerminal(OrchestrationStatus status) =>
        status is OrchestrationStatus.Completed or OrchestrationStatus.Failed or OrchestrationStatus.Canceled or OrchestrationStatus.Terminated;

    private async Task PostAsync(string id, HistoryEvent e, CancellationToken cancellationToken)
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
        if (instance.Started is not { } started)
        {
            // Dapr shows the zero time of Go until the first turn.
            state.CreatedTimestamp = state.LastUpdatedTimestamp = new Timestamp { Seconds = -62135596800 };
            return state;
        }

        state.Name = started.Name;
        state.CreatedTimestamp = history.CreatedAt ?? new Timestamp { Seconds = -62135596800 };
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
