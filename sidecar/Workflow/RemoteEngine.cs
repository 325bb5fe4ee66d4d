using System.Globalization;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.Workflow.Wire;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>Headers and codes between sidecars of different processes.</summary>
internal static class EngineProtocol
{
    /// <summary>Which engine is meant: the port may have gone to another sidecar.</summary>
    public const string Hub = "workflow-hub";
    public const string Group = "workflow-group";

    /// <summary>The app that asks, where it is another than that of the engine.</summary>
    public const string Caller = "workflow-caller";
    public const string MaxTurns = "workflow-max-turns";
    public const string MaxActivities = "workflow-max-activities";

    /// <summary>Set by workers too: they echo the token of a work item.</summary>
    public const string Tokens = "dapr-workflow-tokens";

    /// <summary>Likewise: they keep the past events that they are sent.</summary>
    public const string KeepsHistory = "dapr-workflow-keeps-history";

    /// <summary>The worker is a sidecar itself.</summary>
    public const string BuiltIn = "dapr-workflow-built-in";

    /// <summary>What a sidecar says that does not have the engine.</summary>
    public const string NotHere = "the workflow engine is not here";

    /// <summary>The engine has failed, and says why; asking again is of no use.</summary>
    public const StatusCode Failed = StatusCode.DataLoss;

    public static StatusCode CodeOf(WorkflowRefusal refusal) => refusal switch
    {
        WorkflowRefusal.NoSuchInstance => StatusCode.FailedPrecondition,
        WorkflowRefusal.NotCompleted => StatusCode.Aborted,
        WorkflowRefusal.AlreadyExists => StatusCode.AlreadyExists,
        WorkflowRefusal.InvalidRequest => StatusCode.InvalidArgument,
        WorkflowRefusal.Denied => StatusCode.PermissionDenied,
        _ => StatusCode.NotFound,
    };

    public static WorkflowRefusal? RefusalOf(StatusCode code) => code switch
    {
        StatusCode.FailedPrecondition => WorkflowRefusal.NoSuchInstance,
        StatusCode.Aborted => WorkflowRefusal.NotCompleted,
        StatusCode.AlreadyExists => WorkflowRefusal.AlreadyExists,
        StatusCode.InvalidArgument => WorkflowRefusal.InvalidRequest,
        StatusCode.NotFound => WorkflowRefusal.NotFound,
        StatusCode.PermissionDenied => WorkflowRefusal.Denied,
        _ => null,
    };
}

/// <summary>The engine that a sidecar of another process has.</summary>
/// <param name="caller">The app that asks, where it is another than that of the engine; null otherwise.</param>
internal sealed class RemoteEngine(GrpcChannel channel, string hub, string? caller) : IWorkflowEngine, IDisposable
{
    private readonly TaskHubSidecarService.TaskHubSidecarServiceClient _client = new(channel);
    private readonly WorkflowPeers.WorkflowPeersClient _peer = new(channel);
    private volatile bool _isGone;

    public bool IsGone => _isGone;

    public Task ServeWorkerAsync(WorkerProfile worker, IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        var headers = Headers();
        headers.Add(EngineProtocol.Group, worker.Group.Key);
        if (worker.Group.MaxTurns is { } turns)
            headers.Add(EngineProtocol.MaxTurns, turns.ToString(CultureInfo.InvariantCulture));
        if (worker.Group.MaxActivities is { } activities)
            headers.Add(EngineProtocol.MaxActivities, activities.ToString(CultureInfo.InvariantCulture));
        if (worker.TakesTokens)
            headers.Add(EngineProtocol.Tokens, "1");
        if (worker.KeepsHistory)
            headers.Add(EngineProtocol.KeepsHistory, "1");
        if (worker.IsBuiltIn)
            headers.Add(EngineProtocol.BuiltIn, "1");
        using var call = _client.GetWorkItems(new GetWorkItemsRequest(), headers, cancellationToken: cancellationToken);
        while (await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false))
            await writer.WriteAsync(call.ResponseStream.Current, cancellationToken).ConfigureAwait(false);
        // The engine never ends a stream of its own accord.
        throw new RpcException(new Status(StatusCode.Unavailable, "the engine has ended"));
    }, cancellationToken);

    public Task CompleteTurnAsync(WorkflowResponse response, CancellationToken cancellationToken) =>
        AskAsync(async () => await _client.CompleteWorkflowTaskAsync(response, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken);

    public Task CompleteActivityAsync(ActivityResponse response, CancellationToken cancellationToken) =>
        AskAsync(async () => await _client.CompleteActivityTaskAsync(response, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken);

    public Task StartAsync(string id, string name, string? input, Timestamp? at, TraceContext? trace, CancellationToken cancellationToken)
    {
        var request = new CreateInstanceRequest { InstanceId = id, Name = name, Input = input, ScheduledStartTimestamp = at, ParentTraceContext = trace };
        return AskAsync(async () => await _client.StartInstanceAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken);
    }

    public async Task<WorkflowState?> GetAsync(string id, bool withPayloads, CancellationToken cancellationToken)
    {
        var request = new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = withPayloads };
        return (await AskAsync(async () => await _client.GetInstanceAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false)).WorkflowState;
    }

    public async Task<IReadOnlyList<HistoryEvent>?> HistoryAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            var request = new GetInstanceHistoryRequest { InstanceId = id };
            return (await AskAsync(async () => await _client.GetInstanceHistoryAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false)).Events;
        }
        catch (WorkflowException e) when (e.Refusal == WorkflowRefusal.NotFound)
        {
            return null;
        }
    }

    public async Task<WorkflowState?> WaitAsync(string id, bool forEnd, bool withPayloads, CancellationToken cancellationToken)
    {
        var request = new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = withPayloads };
        return (await AskAsync(async () => await (forEnd
            ? _client.WaitForInstanceCompletionAsync(request, Headers(), cancellationToken: cancellationToken)
            : _client.WaitForInstanceStartAsync(request, Headers(), cancellationToken: cancellationToken)).ConfigureAwait(false), cancellationToken).ConfigureAwait(false)).WorkflowState;
    }

    public Task RaiseAsync(string id, string name, string? input, CancellationToken cancellationToken)
    {
        var request = new RaiseEventRequest { InstanceId = id, Name = name, Input = input };
        return AskAsync(async () => await _client.RaiseEventAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken);
    }

    public Task TerminateAsync(string id, string? output, bool recurse, CancellationToken cancellationToken)
    {
        var request = new TerminateRequest { InstanceId = id, Output = output, Recursive = recurse };
        return AskAsync(async () => await _client.TerminateInstanceAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken);
    }

    public Task SuspendAsync(string id, string? reason, CancellationToken cancellationToken)
    {
        var request = new SuspendRequest { InstanceId = id, Reason = reason };
        return AskAsync(async () => await _client.SuspendInstanceAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken);
    }

    public Task ResumeAsync(string id, string? reason, CancellationToken cancellationToken)
    {
        var request = new ResumeRequest { InstanceId = id, Reason = reason };
        return AskAsync(async () => await _client.ResumeInstanceAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken);
    }

    public async Task<int> PurgeAsync(string id, bool recurse, bool force, CancellationToken cancellationToken)
    {
        var request = new PurgeInstancesRequest { InstanceId = id, Recursive = recurse, Force = force };
        return (await AskAsync(async () => await _client.PurgeInstancesAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false)).DeletedInstanceCount;
    }

    public async Task<(IReadOnlyList<string> Ids, string? Next)> ListAsync(string? token, int pageSize, CancellationToken cancellationToken)
    {
        var request = new ListInstanceIDsRequest { PageSize = (uint)pageSize };
        if (token is not null)
            request.ContinuationToken = token;
        var answer = await AskAsync(async () => await _client.ListInstanceIDsAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        return (answer.InstanceIds, answer.HasContinuationToken ? answer.ContinuationToken : null);
    }

    public async Task<string> RerunAsync(RerunWorkflowFromEventRequest request, CancellationToken cancellationToken) =>
        (await AskAsync(async () => await _client.RerunWorkflowFromEventAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false)).NewInstanceID;

    public Task<ActivityResponse> RunActivityAsync(ActivityRequest request, CancellationToken cancellationToken) =>
        AskAsync(async () => await _peer.RunActivityAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken);

    public Task<HistoryEvent> RunChildAsync(HistoryEvent start, PropagatedHistory? propagated, CancellationToken cancellationToken) =>
        AskAsync(async () => await _peer.RunChildAsync(new PeerStart { Event = start, Propagated = propagated }, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken);

    public async Task<bool> PostAsync(string id, HistoryEvent e, CancellationToken cancellationToken)
    {
        var request = new PeerEvent { InstanceId = id, Event = e };
        return (await AskAsync(async () => await _peer.PostAsync(request, Headers(), cancellationToken: cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false)).Found;
    }

    public void Dispose() => channel.Dispose();

    private static bool IsRefused(Exception e) => e is RpcException { StatusCode: StatusCode.Unavailable } refusal
        && (refusal.Status.Detail == EngineProtocol.NotHere || refusal.Status.DebugException is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError });

    private Metadata Headers()
    {
        var headers = new Metadata { { EngineProtocol.Hub, hub } };
        if (caller is not null)
            headers.Add(EngineProtocol.Caller, caller);
        return headers;
    }

    private Task AskAsync(Func<Task> ask, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        await ask().ConfigureAwait(false);
        return true;
    }, cancellationToken);

    private async Task<T> AskAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        try
        {
            return await ask().ConfigureAwait(false);
        }
        catch (RpcException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(e.Status.Detail, e, cancellationToken);
        }
        catch (RpcException e) when (EngineProtocol.RefusalOf(e.StatusCode) is { } refusal)
        {
            throw new WorkflowException(refusal, e.Status.Detail);
        }
        catch (RpcException e) when (e.StatusCode == EngineProtocol.Failed)
        {
            throw new IOException(e.Status.Detail, e);
        }
        catch (Exception e) when (StandInCalls.IsLost(e))
        {
            _isGone = true;
            throw new HubMovedException(wasAsked: !IsRefused(e), e);
        }
    }
}
