using Dapr;
using Dapr.Common.Exceptions;
using Google.Protobuf;
using Grpc.Core;
using Wire = Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sdk.Tests.Client;

public sealed class PublishTests : SidecarTest
{
    sealed record Order(string Id, decimal Total);

    static readonly Dictionary<string, string> Key = new() { ["partitionKey"] = "o1" };

    [Fact]
    public async Task An_event_is_published_as_JSON()
    {
        await Client.PublishEventAsync("pubsub", "orders", new Order("o1", 12.30m), Key);

        var request = Sidecar.Single<Wire.PublishEventRequest>();
        Assert.Equal("""{"id":"o1","total":12.30}""", request.Data.ToStringUtf8());
        Assert.Equal(("pubsub", "orders", "application/json"), (request.PubsubName, request.Topic, request.DataContentType));
        Assert.Equal("o1", request.Metadata["partitionKey"]);
    }

    [Fact]
    public async Task A_cloud_event_is_published_as_an_envelope()
    {
        await Client.PublishEventAsync("pubsub", "orders", new CloudEvent<Order>(new Order("o1", 1)) { Source = new Uri("urn:shop"), Type = "placed", Subject = "o1" });

        var request = Sidecar.Single<Wire.PublishEventRequest>();
        Assert.Equal("application/cloudevents+json", request.DataContentType);
        Assert.Equal("""{"data":{"id":"o1","total":1},"datacontenttype":"application/json","source":"urn:shop","type":"placed","subject":"o1"}""", request.Data.ToStringUtf8());
    }

    [Fact]
    public async Task An_event_without_data_has_neither_data_nor_type()
    {
        await Client.PublishEventAsync("pubsub", "orders");
        Assert.Equal("""{ "pubsubName": "pubsub", "topic": "orders" }""", Sidecar.Single<Wire.PublishEventRequest>().ToString());
    }

    [Fact]
    public async Task Bytes_are_published_under_their_own_type()
    {
        await Client.PublishByteEventAsync("pubsub", "orders", new byte[] { 0, 1 }, "application/octet-stream");
        var request = Sidecar.Single<Wire.PublishEventRequest>();
        Assert.Equal(("application/octet-stream", "AAE="), (request.DataContentType, request.Data.ToBase64()));
    }

    [Fact]
    public async Task Null_data_is_refused_before_it_is_sent()
    {
        await Assert.ThrowsAsync<ArgumentNullException>(() => Client.PublishEventAsync<Order>("pubsub", "orders", null!));
        Assert.Empty(Sidecar.Grpc);
    }

    [Fact]
    public async Task Bulk_events_are_numbered_and_failures_are_matched_to_them()
    {
        Sidecar.Answer("BulkPublishEvent", new Wire.BulkPublishResponse { FailedEntries = { new Wire.BulkPublishResponseFailedEntry { EntryId = "1", Error = "too large" } } });

        var response = await Client.BulkPublishEventAsync<object>("pubsub", "orders", [new Order("o1", 1), new byte[] { 7 }, new CloudEvent { Type = "t" }], Key);

        var request = Sidecar.Single<Wire.BulkPublishRequest>();
        Assert.Equal(["0", "1", "2"], request.Entries.Select(e => e.EntryId));
        Assert.Equal(["application/json", "application/octet-stream", "application/cloudevents+json"], request.Entries.Select(e => e.ContentType));
        Assert.Equal("Bw==", request.Entries[1].Event.ToBase64());
        Assert.Equal("o1", request.Metadata["partitionKey"]);
        var failed = Assert.Single(response.FailedEntries);
        Assert.Equal(("1", "too large"), (failed.Entry.EntryId, failed.ErrorMessage));
        Assert.Equal([7], Assert.IsType<byte[]>(failed.Entry.EventData));
    }

    [Theory]
    [InlineData(StatusCode.Unimplemented, "unknown method")]
    [InlineData(StatusCode.Unknown, "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found")]
    public async Task An_older_sidecar_is_asked_by_the_alpha_name_and_from_then_on_only_so(StatusCode code, string detail)
    {
        Sidecar.Refuse("BulkPublishEvent", code, detail);
        await Client.BulkPublishEventAsync("pubsub", "orders", [1]);
        await Client.BulkPublishEventAsync("pubsub", "orders", [2]);
        Assert.Equal(["BulkPublishEvent", "BulkPublishEventAlpha1", "BulkPublishEventAlpha1"], Sidecar.Grpc.Select(c => c.Method));
    }

    [Fact]
    public async Task A_sidecar_that_knows_neither_name_is_said_to_be_too_old()
    {
        Sidecar.Refuse("BulkPublishEvent", StatusCode.Unimplemented);
        Sidecar.Refuse("BulkPublishEventAlpha1", StatusCode.Unimplemented);
        await Assert.ThrowsAsync<DaprFeatureNotAvailableException>(() => Client.BulkPublishEventAsync("pubsub", "orders", [1]));
    }

    [Fact]
    public async Task A_refusal_is_not_taken_for_an_old_sidecar()
    {
        Sidecar.Refuse("BulkPublishEvent", StatusCode.Unknown, "broker away");
        var e = await Assert.ThrowsAsync<DaprException>(() => Client.BulkPublishEventAsync("pubsub", "orders", [1]));
        Assert.IsNotType<DaprFeatureNotAvailableException>(e);
        Assert.Single(Sidecar.Grpc);
    }
}
