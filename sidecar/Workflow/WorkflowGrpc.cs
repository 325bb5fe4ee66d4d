using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Workflow;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The workflow rpcs of the Dapr service; Alpha1 and Beta1 are the same.</summary>
internal sealed partial class DaprGrpcService
{
    public override Task<StartWorkflowResponse> StartWorkflowBeta1(StartWorkflowRequest request, ServerCallContext context) => Translated(StartWorkflowAsync(request, context));

    public override Task<StartWorkflowResponse> StartWorkflowAlpha1(StartWorkflowRequest request, ServerCallContext context) => Translated(StartWorkflowAsync(request, context));

    public override Task<GetWorkflowResponse> GetWorkflowBeta1(GetWorkflowRequest request, ServerCallContext context) => Translated(GetWorkflowAsync(request, context));

    public override Task<GetWorkflowResponse> GetWorkflowAlpha1(GetWorkflowRequest request, ServerCallContext context) => Translated(GetWorkflowAsync(request, context));

    public override Task<Empty> PurgeWorkflowBeta1(PurgeWorkflowRequest request, ServerCallContext context) => OnWorkflow(request.InstanceId, Workflows.PurgeAsync, context);

    public override Task<Empty> PurgeWorkflowAlpha1(PurgeWorkflowRequest request, ServerCallContext context) => OnWorkflow(request.InstanceId, Workflows.PurgeAsync, context);

    public override Task<Empty> TerminateWorkflowBeta1(TerminateWorkflowRequest request, ServerCallContext context) => OnWorkflow(request.InstanceId, Workflows.TerminateAsync, context);

    public override Task<Empty> TerminateWorkflowAlpha1(TerminateWorkflowRequest request, ServerCallContext context) => OnWorkflow(request.InstanceId, Workflows.TerminateAsync, context);

    public override Task<Empty> PauseWorkflowBeta1(PauseWorkflowRequest request, ServerCallContext context) => OnWorkflow(request.InstanceId, Workflows.PauseAsync, context);

    public override Task<Empty> PauseWorkflowAlpha1(PauseWorkflowRequest request, ServerCallContext context) => OnWorkflow(request.InstanceId, Workflows.PauseAsync, context);

    public override Task<Empty> ResumeWorkflowBeta1(ResumeWorkflowRequest request, ServerCallContext context) => OnWorkflow(request.InstanceId, Workflows.ResumeAsync, context);

    public override Task<Empty> ResumeWorkflowAlpha1(ResumeWorkflowRequest request, ServerCallContext context) => OnWorkflow(request.InstanceId, Workflows.ResumeAsync, context);

    public override Task<Empty> RaiseEventWorkflowBeta1(RaiseEventWorkflowRequest request, ServerCallContext context) => RaiseEventWorkflow(request, context);

    public override Task<Empty> RaiseEventWorkflowAlpha1(RaiseEventWorkflowRequest request, ServerCallContext context) => RaiseEventWorkflow(request, context);

    private WorkflowApi Workflows => _runtime.Block<WorkflowApi>();

    private static ApiException NoInstanceId() => ApiException.BadRequest("ERR_INSTANCE_ID_PROVIDED_MISSING", "no instance ID was provided");

    private async ValueTask<StartWorkflowResponse> StartWorkflowAsync(StartWorkflowRequest request, ServerCallContext context)
    {
        var id = await Workflows.StartAsync(request.InstanceId, request.WorkflowName, Utf8(request.Input, "ERR_START_WORKFLOW"), request.Options.GetValueOrDefault("dapr.workflow.start_time"), context.CancellationToken).ConfigureAwait(false);
        return new StartWorkflowResponse { InstanceId = id };
    }

    private async ValueTask<GetWorkflowResponse> GetWorkflowAsync(GetWorkflowRequest request, ServerCallContext context)
    {
        if (request.InstanceId.Length == 0)
            throw NoInstanceId();
        var response = new GetWorkflowResponse { InstanceId = request.InstanceId };
        if (await Workflows.GetAsync(request.InstanceId, context.CancellationToken).ConfigureAwait(false) is not { } state)
            return response;
        response.WorkflowName = state.Name;
        response.CreatedAt = state.CreatedTimestamp;
        response.LastUpdatedAt = state.LastUpdatedTimestamp;
        response.RuntimeStatus = WorkflowApi.StatusName(state.WorkflowStatus);
        foreach (var (key, value) in WorkflowApi.PropertiesOf(state))
            response.Properties[key] = value;
        return response;
    }

    private Task<Empty> RaiseEventWorkflow(RaiseEventWorkflowRequest request, ServerCallContext context) => Translated(RaiseAsync(request, context));

    private async ValueTask<Empty> RaiseAsync(RaiseEventWorkflowRequest request, ServerCallContext context)
    {
        if (request.InstanceId.Length == 0)
            throw NoInstanceId();
        if (request.EventName.Length == 0)
            throw ApiException.BadRequest("ERR_WORKFLOW_EVENT_NAME_MISSING", "missing workflow event name");
        var data = request.EventData.IsEmpty ? null : Utf8(request.EventData, "ERR_RAISE_EVENT_WORKFLOW");
        await Workflows.RaiseAsync(request.InstanceId, request.EventName, data, context.CancellationToken).ConfigureAwait(false);
        return new Empty();
    }

    private Task<Empty> OnWorkflow(string id, Func<string, CancellationToken, Task> run, ServerCallContext context)
    {
        return Translated(RunAsync());

        async ValueTask<Empty> RunAsync()
        {
            if (id.Length == 0)
                throw NoInstanceId();
            await run(id, context.CancellationToken).ConfigureAwait(false);
            return new Empty();
        }
    }

    private static string Utf8(ByteString bytes, string errorCode)
    {
        try
        {
            return new System.Text.UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes.Span);
        }
        catch (System.Text.DecoderFallbackException)
        {
            throw ApiException.Internal(errorCode, "the payload is not valid UTF-8");
        }
    }
}
