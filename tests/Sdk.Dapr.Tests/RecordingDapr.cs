using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sdk.Tests;

internal sealed class RecordingDapr(RecordingSidecar sidecar) : Dapr.Proto.Runtime.V1.Dapr.DaprBase
{
    public override Task<InvokeResponse> InvokeService(InvokeServiceRequest request, ServerCallContext context) => sidecar.Handle<InvokeResponse>(nameof(InvokeService), request, context);

    public override Task<GetStateResponse> GetState(GetStateRequest request, ServerCallContext context) => sidecar.Handle<GetStateResponse>(nameof(GetState), request, context);

    public override Task<GetBulkStateResponse> GetBulkState(GetBulkStateRequest request, ServerCallContext context) => sidecar.Handle<GetBulkStateResponse>(nameof(GetBulkState), request, context);

    public override Task<Empty> SaveState(SaveStateRequest request, ServerCallContext context) => sidecar.Handle<Empty>(nameof(SaveState), request, context);

    public override Task<QueryStateResponse> QueryStateAlpha1(QueryStateRequest request, ServerCallContext context) => sidecar.Handle<QueryStateResponse>(nameof(QueryStateAlpha1), request, context);

    public override Task<Empty> DeleteState(DeleteStateRequest request, ServerCallContext context) => sidecar.Handle<Empty>(nameof(DeleteState), request, context);

    public override Task<Empty> DeleteBulkState(DeleteBulkStateRequest request, ServerCallContext context) => sidecar.Handle<Empty>(nameof(DeleteBulkState), request, context);

    public override Task<Empty> ExecuteStateTransaction(ExecuteStateTransactionRequest request, ServerCallContext context) => sidecar.Handle<Empty>(nameof(ExecuteStateTransaction), request, context);

    public override Task<Empty> PublishEvent(PublishEventRequest request, ServerCallContext context) => sidecar.Handle<Empty>(nameof(PublishEvent), request, context);

    public override Task<BulkPublishResponse> BulkPublishEvent(BulkPublishRequest request, ServerCallContext context) => sidecar.Handle<BulkPublishResponse>(nameof(BulkPublishEvent), request, context);

    public override Task<BulkPublishResponse> BulkPublishEventAlpha1(BulkPublishRequest request, ServerCallContext context) => sidecar.Handle<BulkPublishResponse>(nameof(BulkPublishEventAlpha1), request, context);

    public override Task<InvokeBindingResponse> InvokeBinding(InvokeBindingRequest request, ServerCallContext context) => sidecar.Handle<InvokeBindingResponse>(nameof(InvokeBinding), request, context);

    public override Task<GetSecretResponse> GetSecret(GetSecretRequest request, ServerCallContext context) => sidecar.Handle<GetSecretResponse>(nameof(GetSecret), request, context);

    public override Task<GetBulkSecretResponse> GetBulkSecret(GetBulkSecretRequest request, ServerCallContext context) => sidecar.Handle<GetBulkSecretResponse>(nameof(GetBulkSecret), request, context);

    public override Task<GetConfigurationResponse> GetConfiguration(GetConfigurationRequest request, ServerCallContext context) => sidecar.Handle<GetConfigurationResponse>(nameof(GetConfiguration), request, context);

    public override Task<UnsubscribeConfigurationResponse> UnsubscribeConfiguration(UnsubscribeConfigurationRequest request, ServerCallContext context) =>
        sidecar.Handle<UnsubscribeConfigurationResponse>(nameof(UnsubscribeConfiguration), request, context);

    public override Task<TryLockResponse> TryLockAlpha1(TryLockRequest request, ServerCallContext context) => sidecar.Handle<TryLockResponse>(nameof(TryLockAlpha1), request, context);

    public override Task<UnlockResponse> UnlockAlpha1(UnlockRequest request, ServerCallContext context) => sidecar.Handle<UnlockResponse>(nameof(UnlockAlpha1), request, context);

    public override Task<GetMetadataResponse> GetMetadata(GetMetadataRequest request, ServerCallContext context) => sidecar.Handle<GetMetadataResponse>(nameof(GetMetadata), request, context);

    public override Task<Empty> SetMetadata(SetMetadataRequest request, ServerCallContext context) => sidecar.Handle<Empty>(nameof(SetMetadata), request, context);

    public override Task<Empty> Shutdown(ShutdownRequest request, ServerCallContext context) => sidecar.Handle<Empty>(nameof(Shutdown), request, context);

    public override Task<ScheduleJobResponse> ScheduleJob(ScheduleJobRequest request, ServerCallContext context) => sidecar.Handle<ScheduleJobResponse>(nameof(ScheduleJob), request, context);

    public override Task<ScheduleJobResponse> ScheduleJobAlpha1(ScheduleJobRequest request, ServerCallContext context) => sidecar.Handle<ScheduleJobResponse>(nameof(ScheduleJobAlpha1), request, context);

    public override Task<GetJobResponse> GetJob(GetJobRequest request, ServerCallContext context) => sidecar.Handle<GetJobResponse>(nameof(GetJob), request, context);

    public override Task<DeleteJobResponse> DeleteJob(DeleteJobRequest request, ServerCallContext context) => sidecar.Handle<DeleteJobResponse>(nameof(DeleteJob), request, context);

    public override async Task SubscribeConfiguration(SubscribeConfigurationRequest request, IServerStreamWriter<SubscribeConfigurationResponse> responseStream, ServerCallContext context)
    {
        await sidecar.Handle<Empty>(nameof(SubscribeConfiguration), request, context);
        sidecar.Received.Writer.TryWrite(request);
        await sidecar.Stream<Empty, SubscribeConfigurationResponse>(null, responseStream, context);
    }

    public override Task SubscribeTopicEventsAlpha1(
        IAsyncStreamReader<SubscribeTopicEventsRequestAlpha1> requestStream, IServerStreamWriter<SubscribeTopicEventsResponseAlpha1> responseStream, ServerCallContext context) =>
        sidecar.Stream(requestStream, responseStream, context);

    public override Task EncryptAlpha1(IAsyncStreamReader<EncryptRequest> requestStream, IServerStreamWriter<EncryptResponse> responseStream, ServerCallContext context) =>
        sidecar.Stream(requestStream, responseStream, context);

    public override Task DecryptAlpha1(IAsyncStreamReader<DecryptRequest> requestStream, IServerStreamWriter<DecryptResponse> responseStream, ServerCallContext context) =>
        sidecar.Stream(requestStream, responseStream, context);
}
