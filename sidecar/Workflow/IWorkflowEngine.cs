using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// The workflow engine of one app, wherever it is: the hub of this process, or the one that another sidecar of the app has. Refusals are
/// <see cref="WorkflowException"/>; <see cref="HubMovedException"/> says that the hub is elsewhere by now.
/// </summary>
internal interface IWorkflowEngine
{
    /// <summary>It has ended, or could not be reached: ask for the engine again.</summary>
    bool IsGone { get; }

    /// <summary>Serves one GetWorkItems call until the worker leaves.</summary>
    Task ServeWorkerAsync(WorkerProfile worker, IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken);

    /// <summary>A worker's answer to a turn. One that matches no turn under way is ignored, as in daprd.</summary>
    Task CompleteTurnAsync(WorkflowResponse response, CancellationToken cancellationToken);

    /// <summary>A worker's answer to an activity. The first one counts.</summary>
    Task CompleteActivityAsync(ActivityResponse response, CancellationToken cancellationToken);

    /// <summary>Starts an instance; ends when its first turn has been answered, at once when the start is for later.</summary>
    /// <exception cref="WorkflowException">An active instance, or one whose child still runs, has the id.</exception>
    Task StartAsync(string id, string name, string? input, Timestamp? at, TraceContext? trace, CancellationToken cancellationToken);

    /// <summary>The state of an instance; null when there is none. Needs no worker.</summary>
    Task<WorkflowState?> GetAsync(string id, bool withPayloads, CancellationToken cancellationToken);

    Task<IReadOnlyList<HistoryEvent>?> HistoryAsync(string id, CancellationToken cancellationToken);

    /// <summary>Waits for the first turn, or for the end; one that does not exist yet is waited for. Null when it is gone.</summary>
    Task<WorkflowState?> WaitAsync(string id, bool forEnd, bool withPayloads, CancellationToken cancellationToken);

    Task RaiseAsync(string id, string name, string? input, CancellationToken cancellationToken);

    /// <summary>Ends an instance, and with <paramref name="recurse"/> its children; waits until it has ended.</summary>
    Task TerminateAsync(string id, string? output, bool recurse, CancellationToken cancellationToken);

    Task SuspendAsync(string id, string? reason, CancellationToken cancellationToken);

    Task ResumeAsync(string id, string? reason, CancellationToken cancellationToken);

    /// <summary>Removes an instance that has ended, and with <paramref name="recurse"/> its children first. Returns how many were removed.</summary>
    /// <exception cref="WorkflowException">There is none, or one has not ended and <paramref name="force"/> is not given.</exception>
    Task<int> PurgeAsync(string id, bool recurse, bool force, CancellationToken cancellationToken);

    /// <summary>Ids of instances in the order of their keys; the token of the next page is null at the end.</summary>
    Task<(IReadOnlyList<string> Ids, string? Next)> ListAsync(string? token, int pageSize, CancellationToken cancellationToken);

    /// <summary>Runs an ended instance again from one of its actions, as a new one, whose id is returned.</summary>
    /// <exception cref="WorkflowException">The source is unknown, still runs or is a child; there is no such action; the new id is known.</exception>
    Task<string> RerunAsync(RerunWorkflowFromEventRequest request, CancellationToken cancellationToken);

    /// <summary>Runs an activity for a workflow of another app.</summary>
    Task<ActivityResponse> RunActivityAsync(ActivityRequest request, CancellationToken cancellationToken);

    /// <summary>Starts a child for a workflow of another app, unless it is there already, and waits for its end: the event for the parent.</summary>
    /// <param name="propagated">What the parent shows it of its history; null: nothing.</param>
    Task<HistoryEvent> RunChildAsync(HistoryEvent start, PropagatedHistory? propagated, CancellationToken cancellationToken);

    /// <summary>Posts an event to an instance; ends when it is durable. False when there is no such instance.</summary>
    Task<bool> PostAsync(string id, HistoryEvent e, CancellationToken cancellationToken);
}

/// <summary>Finds the engines of other apps.</summary>
internal interface IWorkflowPeers
{
    /// <summary>Null when no sidecar of the app runs workflows.</summary>
    ValueTask<IWorkflowEngine?> FindAsync(string appId, CancellationToken cancellationToken);
}

/// <summary>The hub has ended or cannot be reached: another sidecar of the app has it now, or will.</summary>
/// <param name="wasAsked">False: it has not even seen the call, so that repeating it is safe whatever it does.</param>
internal sealed class HubMovedException(bool wasAsked = false, Exception? inner = null) : Exception("the workflow engine of this app has moved", inner)
{
    public bool WasAsked => wasAsked;
}

internal enum WorkflowRefusal
{
    NoSuchInstance,
    NotCompleted,
    AlreadyExists,
    InvalidRequest,
    NotFound,

    /// <summary>By a policy of the app.</summary>
    Denied,
}

/// <summary>The engine refuses an operation on an instance; each face has its own code and words around it.</summary>
internal sealed class WorkflowException(WorkflowRefusal refusal, string message) : Exception(message)
{
    public WorkflowRefusal Refusal => refusal;

    public static WorkflowException NoSuchInstance() => new(WorkflowRefusal.NoSuchInstance, "no such instance exists");
}
