using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>The engine of this app as another app has it: only what the policies allow. What a workflow waits for is refused as a failure in its history, everything else as an error.</summary>
internal sealed class GuardedEngine(WorkflowClient engine, WorkflowCaller caller) : IWorkflowEngine
{
    private readonly WorkflowHub _hub = engine.Hub;

    public bool IsGone => engine.IsGone;

    public Task ServeWorkerAsync(WorkerProfile worker, IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken) => throw Denied();

    public Task CompleteTurnAsync(WorkflowResponse response, CancellationToken cancellationToken) => throw Denied();

    public Task CompleteActivityAsync(ActivityResponse response, CancellationToken cancellationToken) => throw Denied();

    public Task StartAsync(string id, string name, string? input, Timestamp? at, TraceContext? trace, CancellationToken cancellationToken) =>
        _hub.Access.AllowsWorkflow(caller, "schedule", name) ? engine.StartAsync(id, name, input, at, trace, cancellationToken) : throw Denied();

    public async Task<WorkflowState?> GetAsync(string id, bool withPayloads, CancellationToken cancellationToken)
    {
        await RequireAsync("get", id, cancellationToken).ConfigureAwait(false);
        return await engine.GetAsync(id, withPayloads, cancellationToken).ConfigureAwait(false);
    }

    public async Task<IReadOnlyList<HistoryEvent>?> HistoryAsync(string id, CancellationToken cancellationToken)
    {
        await RequireAsync("get", id, cancellationToken).ConfigureAwait(false);
        return await engine.HistoryAsync(id, cancellationToken).ConfigureAwait(false);
    }

    public async Task<WorkflowState?> WaitAsync(string id, bool forEnd, bool withPayloads, CancellationToken cancellationToken)
    {
        await RequireAsync("get", id, cancellationToken).ConfigureAwait(false);
        return await engine.WaitAsync(id, forEnd, withPayloads, cancellationToken).ConfigureAwait(false);
    }

    public async Task RaiseAsync(string id, string name, string? input, CancellationToken cancellationToken)
    {
        await RequireAsync("raise", id, cancellationToken).ConfigureAwait(false);
        await engine.RaiseAsync(id, name, input, cancellationToken).ConfigureAwait(false);
    }

    public async Task TerminateAsync(string id, string? output, bool recurse, CancellationToken cancellationToken)
    {
        await RequireAsync("terminate", id, cancellationToken).ConfigureAwait(false);
        await engine.TerminateAsync(id, output, recurse, cancellationToken).ConfigureAwait(false);
    }

    public async Task SuspendAsync(string id, string? reason, CancellationToken cancellationToken)
    {
        await RequireAsync("pause", id, cancellationToken).ConfigureAwait(false);
        await engine.SuspendAsync(id, reason, cancellationToken).ConfigureAwait(false);
    }

    public async Task ResumeAsync(string id, string? reason, CancellationToken cancellationToken)
    {
        await RequireAsync("resume", id, cancellationToken).ConfigureAwait(false);
        await engine.ResumeAsync(id, reason, cancellationToken).ConfigureAwait(false);
    }

    public async Task<int> PurgeAsync(string id, bool recurse, bool force, CancellationToken cancellationToken)
    {
        await RequireAsync("purge", id, cancellationToken).ConfigureAwait(false);
        return await engine.PurgeAsync(id, recurse, force, cancellationToken).ConfigureAwait(false);
    }

    // Names nobody in particular: what may be seen of each is asked one by one.
    public async Task<(IReadOnlyList<string> Ids, string? Next)> ListAsync(string? token, int pageSize, CancellationToken cancellationToken)
    {
        var (ids, next) = await engine.ListAsync(token, pageSize, cancellationToken).ConfigureAwait(false);
        var seen = new List<string>(ids.Count);
        foreach (var id in ids)
        {
            if (await IsAllowedAsync("get", id, cancellationToken).ConfigureAwait(false))
                seen.Add(id);
        }

        return (seen, next);
    }

    public async Task<string> RerunAsync(RerunWorkflowFromEventRequest request, CancellationToken cancellationToken)
    {
        await RequireAsync("rerun", request.SourceInstanceID, cancellationToken).ConfigureAwait(false);
        return await engine.RerunAsync(request, cancellationToken).ConfigureAwait(false);
    }

    public Task<ActivityResponse> RunActivityAsync(ActivityRequest request, CancellationToken cancellationToken) =>
        _hub.Access.AllowsActivity(caller, request.Name, request.PropagatedHistory)
            ? engine.RunActivityAsync(request, cancellationToken)
            : Task.FromResult(new ActivityResponse { InstanceId = request.WorkflowInstance.InstanceId, TaskId = request.TaskId, FailureDetails = Failure() });

    public Task<HistoryEvent> RunChildAsync(HistoryEvent start, PropagatedHistory? propagated, CancellationToken cancellationToken)
    {
        var child = start.ExecutionStarted;
        return _hub.Access.AllowsWorkflow(caller, "schedule", child.Name, propagated)
            ? engine.RunChildAsync(start, propagated, cancellationToken)
            : Task.FromResult(TurnActions.ChildEnd(_hub, child.ParentInstance, new ExecutionCompletedEvent { WorkflowStatus = OrchestrationStatus.Failed, FailureDetails = Failure() }));
    }

    public async Task<bool> PostAsync(string id, HistoryEvent e, CancellationToken cancellationToken)
    {
        await RequireAsync(e.ExecutionTerminated is not null ? "terminate" : "raise", id, cancellationToken).ConfigureAwait(false);
        return await engine.PostAsync(id, e, cancellationToken).ConfigureAwait(false);
    }

    private static WorkflowException Denied() => new(WorkflowRefusal.Denied, WorkflowAccess.Refusal);

    private static TaskFailureDetails Failure() => new() { ErrorType = "PermissionDenied", ErrorMessage = WorkflowAccess.Refusal, IsNonRetriable = true };

    private async Task RequireAsync(string operation, string id, CancellationToken cancellationToken)
    {
        if (!await IsAllowedAsync(operation, id, cancellationToken).ConfigureAwait(false))
            throw Denied();
    }

    // An instance that is not there has no name: who may not see it does not learn that.
    private async Task<bool> IsAllowedAsync(string operation, string id, CancellationToken cancellationToken)
    {
        var start = await _hub.OnAsync(id, instance => Task.FromResult(instance.Started ?? instance.StartInInbox?.ExecutionStarted), cancellationToken).ConfigureAwait(false);
        // Who was allowed to schedule a child may end and remove it with its parent.
        var isParent = start?.ParentInstance is { HasAppID: true } parent && parent.AppID == caller.AppId && caller.IsKnown;
        return (isParent && (operation is "terminate" or "purge")) || _hub.Access.AllowsWorkflow(caller, operation, start?.Name ?? "");
    }
}
