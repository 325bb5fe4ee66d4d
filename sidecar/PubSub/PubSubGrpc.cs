using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.PubSub;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The gRPC face of pub/sub.</summary>
internal sealed partial class DaprGrpcService
{
    private PubSubApi PubSub => field ??= _runtime.Block<PubSubApi>();

    public override Task<Empty> PublishEvent(PublishEventRequest request, ServerCallContext context) => Translated(PublishAsync(request, context));

    public override Task<BulkPublishResponse> BulkPublishEvent(BulkPublishRequest request, ServerCallContext context) => Translated(PublishManyAsync(request, context));

    public override Task<BulkPublishResponse> BulkPublishEventAlpha1(BulkPublishRequest request, ServerCallContext context) => Translated(PublishManyAsync(request, context));

    public override async Task SubscribeTopicEventsAlpha1(IAsyncStreamReader<SubscribeTopicEventsRequestAlpha1> requestStream,
        IServerStreamWriter<SubscribeTopicEventsResponseAlpha1> responseStream, ServerCallContext context)
    {
        try
        {
            await new TopicStream(_runtime, PubSub, requestStream, responseStream).RunAsync(context.CancellationToken).ConfigureAwait(false);
        }
        catch (ApiException e)
        {
            throw e.ToRpcException();
        }
    }

    private async ValueTask<Empty> PublishAsync(PublishEventRequest request, ServerCallContext context)
    {
        await PubSub.PublishAsync(request.PubsubName, request.Topic, request.Data.Memory, request.DataContentType, MetadataOf(request.Metadata), context.CancellationToken).ConfigureAwait(false);
        return Nothing;
    }

    private async ValueTask<BulkPublishResponse> PublishManyAsync(BulkPublishRequest request, ServerCallContext context)
    {
        var entries = new PublishEntry[request.Entries.Count];
        for (var i = 0; i < entries.Length; i++)
        {
            var entry = request.Entries[i];
            entries[i] = new PublishEntry(entry.EntryId, entry.Event.Memory, entry.ContentType, MetadataOf(entry.Metadata));
        }

        var failures = await PubSub.PublishManyAsync(request.PubsubName, request.Topic, entries, MetadataOf(request.Metadata), context.CancellationToken).ConfigureAwait(false);
        return failures.Count == 0 ? new BulkPublishResponse() : throw PubSubErrors.Publish(request.PubsubName, request.Topic, failures[0].Error);
    }

    private static IReadOnlyDictionary<string, string> MetadataOf(Google.Protobuf.Collections.MapField<string, string> map) =>
        map.Count == 0 ? System.Collections.ObjectModel.ReadOnlyDictionary<string, string>.Empty : new Dictionary<string, string>(map);
}
