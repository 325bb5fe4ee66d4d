using System.Globalization;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Workflow.Wire;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>TaskHubSidecarService: the stream of work items for workers, and the rpcs of workflow clients.</summary>
internal class TaskHubService(WorkflowApi api) : TaskHubSidecarService.TaskHubSidecarServiceBase
{
    private const int LargestPage = 1024;

    public override Task<Empty> Hello(Empty request, ServerCallContext context) => Task.FromResult(new Empty());

    public override Task GetWorkItems(GetWorkItemsRequest request, IServerStreamWriter<WorkItem> responseStream, ServerCallContext context) => Run("", context, async () =>
    {
        await api.ServeWorkerAsync(context.RequestHeaders.GetValue(EngineProtocol.Tokens) is not null, context.RequestHeaders.GetValue(EngineProtocol.KeepsHistory) is not null, responseStream, context.CancellationToken).ConfigureAwait(false);
        return true;
    });

    public override Task<CompleteTaskResponse> CompleteWorkflowTask(WorkflowResponse request, ServerCallContext context) => Run("", context, async engine =>
    {
        await engine.CompleteTurnAsync(request, context.CancellationToken).ConfigureAwait(false);
        return new CompleteTaskResponse();
    });

    public override Task<CompleteTaskResponse> CompleteOrchestratorTask(WorkflowResponse request, ServerCallContext context) => CompleteWorkflowTask(request, context);

    public override Task<CompleteTaskResponse> CompleteActivityTask(ActivityResponse request, ServerCallContext context) => Run("", context, async engine =>
    {
        await engine.CompleteActivityAsync(request, context.CancellationToken).ConfigureAwait(false);
        return new CompleteTaskResponse();
    });

    public override Task<CreateInstanceResponse> StartInstance(CreateInstanceRequest request, ServerCallContext context) => Run("failed to create workflow instance", context, async engine =>
    {
        var id = request.InstanceId.Length > 0 ? request.InstanceId : Guid.NewGuid().ToString();
        await engine.StartAsync(id, request.Name, request.Input, request.ScheduledStartTimestamp, request.ParentTraceContext, context.CancellationToken).ConfigureAwait(false);
        return new CreateInstanceResponse { InstanceId = id };
    }, once: true, operation: "create_workflow");

    public override Task<GetInstanceResponse> GetInstance(GetInstanceRequest request, ServerCallContext context) => Run("", context, async engine =>
        Answer(await engine.GetAsync(request.InstanceId, request.GetInputsAndOutputs, context.CancellationToken).ConfigureAwait(false)), operation: "get_workflow");

    public override Task<GetInstanceResponse> WaitForInstanceStart(GetInstanceRequest request, ServerCallContext context) => Run("", context, async engine =>
        Answer(await engine.WaitAsync(request.InstanceId, forEnd: false, request.GetInputsAndOutputs, context.CancellationToken).ConfigureAwait(false)));

    public override Task<GetInstanceResponse> WaitForInstanceCompletion(GetInstanceRequest request, ServerCallContext context) => Run("", context, async engine =>
        Answer(await engine.WaitAsync(request.InstanceId, forEnd: true, request.GetInputsAndOutputs, context.CancellationToken).ConfigureAwait(false)));

    public override Task<RaiseEventResponse> RaiseEvent(RaiseEventRequest request, ServerCallContext context) => Run("", context, async engine =>
    {
        await engine.RaiseAsync(request.InstanceId, request.Name, request.Input, context.CancellationToken).ConfigureAwait(false);
        return new RaiseEventResponse();
    }, once: true, operation: "add_event");

    public override Task<TerminateResponse> TerminateInstance(TerminateRequest request, ServerCallContext context) => Run("failed to submit termination request", context, async engine =>
    {
        await engine.TerminateAsync(request.InstanceId, request.Output, request.Recursive, context.CancellationToken).ConfigureAwait(false);
        return new TerminateResponse();
    }, operation: "add_event");

    public override Task<SuspendResponse> SuspendInstance(SuspendRequest request, ServerCallContext context) => Run("", context, async engine =>
    {
        await engine.SuspendAsync(request.InstanceId, request.Reason, context.CancellationToken).ConfigureAwait(false);
        return new SuspendResponse();
    }, operation: "add_event");

    public override Task<ResumeResponse> ResumeInstance(ResumeRequest request, ServerCallContext context) => Run("", context, async engine =>
    {
        await engine.ResumeAsync(request.InstanceId, request.Reason, context.CancellationToken).ConfigureAwait(false);
        return new ResumeResponse();
    }, operation: "add_event");

    public override Task<PurgeInstancesResponse> PurgeInstances(PurgeInstancesRequest request, ServerCallContext context)
    {
        if (request.RequestCase != PurgeInstancesRequest.RequestOneofCase.InstanceId)
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unknown, "multi-instance purge is not unimplemented"));
        return Run("failed to purge workflow state", context, async engine => new PurgeInstancesResponse
        {
            DeletedInstanceCount = await engine.PurgeAsync(request.InstanceId, request.Recursive, request.Force, context.CancellationToken).ConfigureAwait(false),
        }, once: true, operation: "purge_workflow");
    }

    public override Task<ListInstanceIDsResponse> ListInstanceIDs(ListInstanceIDsRequest request, ServerCallContext context) => Run("", context, async engine =>
    {
        var size = request.HasPageSize && request.PageSize > 0 ? (int)Math.Min(request.PageSize, LargestPage) : LargestPage;
        var (ids, next) = await engine.ListAsync(request.HasContinuationToken ? request.ContinuationToken : null, size, context.CancellationToken).ConfigureAwait(false);
        var response = new ListInstanceIDsResponse();
        response.InstanceIds.AddRange(ids);
        if (next is not null)
            response.ContinuationToken = next;
        return response;
    });

    public override Task<GetInstanceHistoryResponse> GetInstanceHistory(GetInstanceHistoryRequest request, ServerCallContext context) => Run("", context, async engine =>
    {
        var events = await engine.HistoryAsync(request.InstanceId, context.CancellationToken).ConfigureAwait(false)
            ?? throw new WorkflowException(WorkflowRefusal.NotFound, $"workflow instance '{request.InstanceId}' not found");
        var response = new GetInstanceHistoryResponse();
        response.Events.AddRange(events);
        return response;
    });

    public override Task<RerunWorkflowFromEventResponse> RerunWorkflowFromEvent(RerunWorkflowFromEventRequest request, ServerCallContext context) => Run("", context, async engine =>
        new RerunWorkflowFromEventResponse { NewInstanceID = await engine.RerunAsync(request, context.CancellationToken).ConfigureAwait(false) }, once: true);

    /// <summary>Runs a call on the engine of this app.</summary>
    /// <param name="what">The words before a refusal.</param>
    /// <param name="once">Not to be repeated where the engine has moved meanwhile.</param>
    /// <param name="operation">As the metrics name it; null: it is none that they count.</param>
    protected virtual Task<T> Run<T>(string what, ServerCallContext context, Func<IWorkflowEngine, Task<T>> work, bool once = false, string? operation = null) =>
        Run(what, context, () => api.CountedAsync(operation, api.OnEngineAsync(work, once, context.CancellationToken)));

    private static GetInstanceResponse Answer(WorkflowState? state) => state is null ? new GetInstanceResponse() : new GetInstanceResponse { Exists = true, WorkflowState = state };

    private static async Task<T> Run<T>(string what, ServerCallContext context, Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (ApiException e)
        {
            throw e.ToRpcException();
        }
        catch (HubMovedException) when (!context.CancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "the workflow engine is shutting down"));
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unknown, e.Message));
        }
        catch (WorkflowException e)
        {
            var (code, detail) = e.Refusal switch
            {
                WorkflowRefusal.AlreadyExists => (StatusCode.AlreadyExists, what.Length > 0 ? $"rpc error: code = AlreadyExists desc = {e.Message}" : e.Message),
                WorkflowRefusal.InvalidRequest => (StatusCode.InvalidArgument, e.Message),
                WorkflowRefusal.NotFound => (StatusCode.NotFound, e.Message),
                WorkflowRefusal.Denied => (StatusCode.PermissionDenied, e.Message),
                _ => (StatusCode.Unknown, e.Message),
            };
            throw new RpcException(new Grpc.Core.Status(code, what.Length > 0 ? $"{what}: {detail}" : detail));
        }
    }
}

/// <summary>The same rpcs for sidecars of other processes, on the internal port: only where the engine is, and with codes of their own.</summary>
internal sealed class TaskHubForPeers(WorkflowApi api) : TaskHubService(api)
{
    private readonly WorkflowApi _api = api;

    public override Task GetWorkItems(GetWorkItemsRequest request, IServerStreamWriter<WorkItem> responseStream, ServerCallContext context) => _api.ForPeerAsync(context, async (engine, ended) =>
    {
        var headers = context.RequestHeaders;
        // Only sidecars of the app itself bring workers.
        if (engine is not WorkflowClient own)
            throw new WorkflowException(WorkflowRefusal.Denied, WorkflowAccess.Refusal);
        var group = own.Hub.GroupOf(headers.GetValue(EngineProtocol.Group) ?? "", Number(EngineProtocol.MaxTurns), Number(EngineProtocol.MaxActivities));
        await engine.ServeWorkerAsync(new WorkerProfile(group, headers.GetValue(EngineProtocol.Tokens) is not null, headers.GetValue(EngineProtocol.KeepsHistory) is not null,
            headers.GetValue(EngineProtocol.BuiltIn) is not null), responseStream, ended).ConfigureAwait(false);
        return true;

        int? Number(string name) => int.TryParse(headers.GetValue(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
    });

    protected override Task<T> Run<T>(string what, ServerCallContext context, Func<IWorkflowEngine, Task<T>> work, bool once = false, string? operation = null) => _api.ForPeerAsync(context, (engine, _) => work(engine));
}

/// <summary>What the engines of other apps ask of this one.</summary>
internal sealed class WorkflowPeerService(WorkflowApi api) : WorkflowPeers.WorkflowPeersBase
{
    public override Task<ActivityResponse> RunActivity(ActivityRequest request, ServerCallContext context) => api.ForPeerAsync(context, (engine, ended) => engine.RunActivityAsync(request, ended));

    public override Task<HistoryEvent> RunChild(PeerStart request, ServerCallContext context) => api.ForPeerAsync(context, (engine, ended) => engine.RunChildAsync(request.Event, request.Propagated, ended));

    public override Task<PeerAnswer> Post(PeerEvent request, ServerCallContext context) => api.ForPeerAsync(context, async (engine, ended) =>
        new PeerAnswer { Found = await engine.PostAsync(request.InstanceId, request.Event, ended).ConfigureAwait(false) });
}
