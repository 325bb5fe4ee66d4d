using Dapr.Proto.Runtime.V1;
using Grpc.Core;

namespace DaprPlatform.ServiceDefaults.Events;

/// <summary>The same calls by the names that sidecars know which have no others.</summary>
internal sealed class AppCallbackAlphaService(AppCallbackService service) : AppCallbackAlpha.AppCallbackAlphaBase
{
    public override Task<TopicEventBulkResponse> OnBulkTopicEventAlpha1(TopicEventBulkRequest request, ServerCallContext context) => service.OnBulkTopicEvent(request, context);

    public override Task<JobEventResponse> OnJobEventAlpha1(JobEventRequest request, ServerCallContext context) => service.OnJobEvent(request, context);
}
