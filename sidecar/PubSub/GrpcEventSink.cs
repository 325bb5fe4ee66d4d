using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Apps;
using DaprPlatform.Sidecar.Observability;
using Google.Protobuf;
using Grpc.Core;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>Delivers to an app that speaks gRPC: <c>OnTopicEvent</c> and <c>OnBulkTopicEvent</c>, the latter also by its alpha name.</summary>
internal sealed class GrpcEventSink(AppChannel app) : IEventSink, IBulkEventSink
{
    private AppCallback.AppCallbackClient Client => field ??= new AppCallback.AppCallbackClient(app.Grpc);

    private AppCallbackAlpha.AppCallbackAlphaClient Alpha => field ??= new AppCallbackAlpha.AppCallbackAlphaClient(app.Grpc);

    public async ValueTask<Verdict> SendAsync(AppEvent @event, SubscriptionRule rule, CancellationToken cancellationToken)
    {
        try
        {
            var headers = Headers(@event.Subscription.PubSub, @event.Message.Metadata, @event.Trace);
            using var call = Client.OnTopicEventAsync(Request(@event, rule.Path), headers, cancellationToken: cancellationToken);
            var verdict = Verdict.Of((await call.ResponseAsync.ConfigureAwait(false)).Status);
            return verdict.Kind == VerdictKind.Success ? verdict : verdict with { Detail = Detail(call.GetTrailers()) };
        }
        catch (RpcException e)
        {
            return Failure(e);
        }
    }

    public async ValueTask<Verdict[]> SendAsync(IReadOnlyList<BulkEvent> events, Subscription subscription, SubscriptionRule rule, Span? trace, CancellationToken cancellationToken)
    {
        var request = new TopicEventBulkRequest
        {
            Id = Guid.NewGuid().ToString(), Topic = subscription.Topic, PubsubName = subscription.PubSub, Type = CloudEvents.BulkType, Path = rule.Path, Metadata = { ["pubsubName"] = subscription.PubSub },
        };
        foreach (var one in events)
            request.Entries.Add(Entry(one, subscription.IsRaw));
        var verdicts = new Verdict[events.Count];
        try
        {
            var (response, detail) = await CallAsync(request, Headers(subscription.PubSub, null, trace), cancellationToken).ConfigureAwait(false);
            var given = new Dictionary<string, Verdict>(response.Statuses.Count);
            foreach (var status in response.Statuses)
                given[status.EntryId] = Verdict.Of(status.Status) is { Kind: not VerdictKind.Success } verdict ? verdict with { Detail = detail } : Verdict.Success;
            for (var i = 0; i < verdicts.Length; i++)
                verdicts[i] = given.TryGetValue(events[i].EntryId, out var one) ? one : Verdict.Retry("no status returned from app for the entry");
        }
        catch (RpcException e)
        {
            Array.Fill(verdicts, Failure(e));
        }

        return verdicts;
    }

    /// <summary>The event as an app or a stream gets it.</summary>
    public static TopicEventRequest Request(AppEvent @event, string path)
    {
        var subscription = @event.Subscription;
        var content = subscription.IsRaw ? CloudEventContent.OfRaw(subscription.PubSub, subscription.Topic, @event.Message.Data, CloudEvents.RawTrace.Of(@event.Message.Metadata)) : CloudEventReader.Read(@event.Envelope.Span);
        return new TopicEventRequest
        {
            Id = subscription.IsRaw ? @event.Id : content.Id, Source = content.Source, Type = content.Type, SpecVersion = content.SpecVersion, DataContentType = content.DataContentType, Data = content.Data,
            Topic = subscription.Topic, PubsubName = subscription.PubSub, Path = path, Extensions = content.Extensions,
        };
    }

    private async Task<(TopicEventBulkResponse Response, string? Detail)> CallAsync(TopicEventBulkRequest request, Metadata headers, CancellationToken cancellationToken)
    {
        try
        {
            using var call = Client.OnBulkTopicEventAsync(request, headers, cancellationToken: cancellationToken);
            return (await call.ResponseAsync.ConfigureAwait(false), Detail(call.GetTrailers()));
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented)
        {
            return (await Alpha.OnBulkTopicEventAlpha1Async(request, headers, cancellationToken: cancellationToken).ResponseAsync.ConfigureAwait(false), null);
        }
    }

    private static string? Detail(Metadata trailers) => trailers.GetValueBytes(DeadLetterFacts.CauseTrailer) is { } text ? System.Text.Encoding.UTF8.GetString(text) : null;

    private static TopicEventBulkRequestEntry Entry(BulkEvent one, bool isRaw)
    {
        var entry = new TopicEventBulkRequestEntry { EntryId = one.EntryId };
        foreach (var (name, value) in one.Message.Metadata ?? new Dictionary<string, string>())
            entry.Metadata[name] = value;
        if (isRaw)
        {
            entry.Bytes = UnsafeByteOperations.UnsafeWrap(one.Message.Data);
            entry.ContentType = ContentTypes.Octets;
            return entry;
        }

        var content = CloudEventReader.Read(one.Envelope.Span);
        entry.CloudEvent = new TopicEventCERequest
        {
            Id = content.Id, Source = content.Source, Type = content.Type, SpecVersion = content.SpecVersion, DataContentType = content.DataContentType, Data = content.Data, Extensions = content.Extensions,
        };
        return entry;
    }

    private static Verdict Failure(RpcException e) => e.StatusCode == StatusCode.Unimplemented
        ? Verdict.Ignore($"non-retriable error returned from app while processing pub/sub event: {e.Status.Detail}")
        : Verdict.Retry($"error returned from app while processing pub/sub event: {e.Status.StatusCode} {e.Status.Detail}");

    private static Metadata Headers(string pubsub, IReadOnlyDictionary<string, string>? metadata, Span? trace)
    {
        var headers = new Metadata();
        foreach (var (name, value) in metadata ?? new Dictionary<string, string>())
        {
            var key = name.ToLowerInvariant();
            if (IsKey(key) && value.All(static c => c is >= ' ' and <= '~'))
                headers.Add(key, value);
        }

        headers.Add("pubsubname", pubsub);
        if (trace is not null)
        {
            headers.Add("traceparent", trace.TraceParent);
            headers.Add("grpc-trace-bin", trace.Context.ToBinary());
        }

        return headers;
    }

    // Metadata come from publishers: they must neither break the call nor take the place of what the sidecar says itself.
    private static bool IsKey(string key) => key.Length > 0 && key.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.')
        && !key.EndsWith("-bin", StringComparison.Ordinal) && !key.StartsWith("grpc-", StringComparison.Ordinal)
        && key is not ("pubsubname" or "traceparent" or "content-type" or "content-length" or "te" or "host" or "connection" or "user-agent" or "transfer-encoding");
}
