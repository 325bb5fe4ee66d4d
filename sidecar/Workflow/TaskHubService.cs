using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Http;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>TaskHubSidecarService: the stream of work items for workers, and the rpcs of workflow clients.</summary>
internal sealed class TaskHubService(WorkflowApi api) : TaskHubSidecarService.TaskHubSidecarServiceBase
{
    private const int LargestPage = 1024;

    public override Task<Empty> Hello(Empty request, ServerCallContext context) => Task.FromResult(new Empty());

    public override Task GetWorkItems(GetWorkItemsRequest request, IServerStreamWriter<WorkItem> responseStream, ServerCallContext context) =>
        Hub().ServeWorkerAsync(responseStream, context.CancellationToken);

    public override async Task<CompleteTaskResponse> CompleteWorkflowTask(WorkflowResponse request, ServerCallContext context)
    {
        await Hub().CompleteTurnAsync(request, context.CancellationToken).ConfigureAwait(false);
        return new CompleteTaskResponse();
    }

    public override Task<CompleteTaskResponse> CompleteOrchestratorTask(WorkflowResponse request, ServerCallContext context) => CompleteWorkflowTask(request, context);

    public override async Task<CompleteTaskResponse> CompleteActivityTask(ActivityResponse request, ServerCallContext context)
    {
        await Hub().CompleteActivityAsync(request, context.CancellationToken).ConfigureAwait(false);
        return new CompleteTaskResponse();
    }

    public override Task<CreateInstanceResponse> StartInstance(CreateInstanceRequest request, ServerCallContext context) => Run("failed to create workflow instance", async client =>
    {
        var id = request.InstanceId.Length > 0 ? request.InstanceId : Guid.NewGuid().ToString();
        await client.StartAsync(id, request.Name, request.Input, request.ScheduledStartTimestamp, request.ParentTraceContext, context.CancellationToken).ConfigureAwait(false);
        return new CreateInstanceResponse { InstanceId = id };
    });

    public override Task<GetInstanceResponse> GetInstance(GetInstanceRequest request, ServerCallContext context) => Run("", async client =>
        Answer(await client.GetAsync(request.InstanceId, request.GetInputsAndOutputs, context.CancellationToken).ConfigureAwait(false)));

    public override Task<GetInstanceResponse> WaitForInstanceStart(GetInstanceRequest request, ServerCallContext context) => Run("", async client =>
        Answer(await client.WaitAsync(request.InstanceId, static s => s != OrchestrationStatus.Pending, request.GetInputsAndOutputs, context.CancellationToken).ConfigureAwait(false)));

    public override Task<GetInstanceResponse> WaitForInstanceCompletion(GetInstanceRequest request, ServerCallContext context) => Run("", async client =>
        Answer(await client.WaitAsync(request.InstanceId, WorkflowClient.IsTerminal, request.GetInputsAndOutputs, context.CancellationToken).ConfigureAwait(false)));

    public override Task<RaiseEventResponse> RaiseEvent(RaiseEventRequest request, ServerCallContext context) => Run("", async client =>
    {
        await client.RaiseAsync(request.InstanceId, request.Name, request.Input, context.CancellationToken).ConfigureAwait(false);
        return new RaiseEventResponse();
    });

    public override Task<TerminateResponse> TerminateInstance(TerminateRequest request, ServerCallContext context) => Run("failed to submit termination request", async client =>
    {
        await client.TerminateAsync(request.InstanceId, request.Output, request.Recursive, context.CancellationToken).ConfigureAwait(false);
        return new TerminateResponse();
    });

    public override Task<SuspendResponse> SuspendInstance(SuspendRequest request, ServerCallContext context) => Run("", async client =>
    {
        await client.SuspendAsync(request.InstanceId, request.Reason, context.CancellationToken).ConfigureAwait(false);
        return new SuspendResponse();
    });

    public override Task<ResumeResponse> ResumeInstance(ResumeRequest request, ServerCallContext context) => Run("", async client =>
    {
        await client.ResumeAsync(request.InstanceId, request.Reason, context.CancellationToken).ConfigureAwait(false);
        return new ResumeResponse();
    });

    public override Task<PurgeInstancesResponse> PurgeInstances(PurgeInstancesRequest request, ServerCallContext context)
    {
        if (request.RequestCase != PurgeInstancesRequest.RequestOneofCase.InstanceId)
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unknown, "multi-instance purge is not implemented"));
        return Run("failed to purge workflow state", async client => new PurgeInstancesResponse
        {
            DeletedInstanceCount = await client.PurgeAsync(request.InstanceId, request.Recursive, request.Force, context.CancellationToken).ConfigureAwait(false),
        });
    }

    public override Task<ListInstanceIDsResponse> ListInstanceIDs(ListInstanceIDsRequest request, ServerCallContext context) => Run("", async client =>
    {
        var size = request.HasPageSize && request.PageSize > 0 ? (int)Math.Min(request.PageSize, LargestPage) : LargestPage;
        var (ids, next) = await client.ListAsync(request.HasContinuationToken ? request.ContinuationToken : null, size, context.CancellationToken).ConfigureAwait(false);
        var response = new ListInstanceIDsResponse();
        response.InstanceIds.AddRange(ids);
        if (next is not null)
            response.ContinuationToken = next;
        return response;
    });

    public override Task<GetInstanceHistoryResponse> GetInstanceHistory(GetInstanceHistoryRequest request, ServerCallContext context) => Run("", async client =>
    {
        var events = await client.HistoryAsync(request.InstanceId, context.CancellationToken).ConfigureAwait(false)
            ?? throw new RpcException(new Grpc.Core.Status(StatusCode.NotFound, $"workflow instance '{request.InstanceId}' not found"));
        var response = new GetInstanceHistoryResponse();
        response.Events.AddRange(events);
        return response;
    });

    public override async Task<RerunWorkflowFromEventResponse> RerunWorkflowFromEvent(RerunWorkflowFromEventRequest request, ServerCallContext context)
    {
        try
        {
            return new RerunWorkflowFromEventResponse { NewInstanceID = await WorkflowRerun.RunAsync(Hub(), request, context.CancellationToken).ConfigureAwait(false) };
        }
        catch (WorkflowException e)
        {
            throw new RpcException(new Grpc.Core.Status(Code(e.Refusal), e.Message));
        }
    }

    private static StatusCode Code(WorkflowRefusal refusal) => refusal switch
    {
        WorkflowRefusal.AlreadyExists => StatusCode.AlreadyExists,
        WorkflowRefusal.InvalidRequest => StatusCode.InvalidArgument,
        WorkflowRefusal.NotFound => StatusCode.NotFound,
        _ => StatusCode.Unknown,
    };

    private static GetInstanceResponse Answer(WorkflowState? state) => state is null ? new GetInstanceResponse() : new GetInstanceResponse { Exists = true, WorkflowState = state };

    private WorkflowHub Hub()
    {
        try
        {
            return api.Hub();
        }
        catch (ApiException e)
        {
            throw e.ToRpcException();
        }
    }

    private async Task<T> Run<T>(string what, Func<WorkflowClient, Task<T>> work)
    {
        try
        {
            return await work(new WorkflowClient(Hub())).ConfigureAwait(false);
        }
        catch (WorkflowException e)
        {
            var message = e.Refusal == WorkflowRefusal.AlreadyExists ? $"rpc error: code = AlreadyExists desc = {e.Message}" : e.Message;
            throw new RpcException(new Grpc.Core.Status(Code(e.Refusal), what.Length > 0 ? $"{what}: {message}" : message));
        }
    }
}
