using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;

namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class OutboxTests
{
    [Fact]
    public async Task A_projection_is_published_in_the_place_of_what_is_stored_and_needs_its_operation()
    {
        var subscription = "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata:\n  name: s\nspec:\n  pubsubname: p\n  topic: t\n  routes:\n    default: /t\n";
        var events = new ConcurrentQueue<string>();
        await using var app = await StandInApp.StartAsync();
        app.Answers["/t"] = async context => events.Enqueue((await JsonNode.ParseAsync(context.Request.Body))!["data"]!.ToJsonString());
        await using var sidecar = await RunningSidecar.StartAsync(
            [RunningSidecar.Component("p", "pubsub.in-memory"), RunningSidecar.Component("s", "state.in-memory", ("outboxPublishPubsub", "p"), ("outboxPublishTopic", "t")), subscription], app.Port);

        var refused = await sidecar.SendAsync("POST", "/v1.0/state/s/transaction", """
            {"operations":[{"operation":"upsert","request":{"key":"a","value":"stored"}},{"operation":"upsert","request":{"key":"b","value":"published","metadata":{"outbox.projection":"true"}}}]}
            """);
        var accepted = await sidecar.SendAsync("POST", "/v1.0/state/s/transaction", """
            {"operations":[{"operation":"upsert","request":{"key":"a","value":"stored"}},{"operation":"upsert","request":{"key":"a","value":"published","metadata":{"outbox.projection":"Yes"}}}]}
            """);

        Assert.Equal((HttpStatusCode.InternalServerError, true), (refused.Status, refused.Text.Contains("ERR_PUBLISH_OUTBOX", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.NoContent, accepted.Status);
        Assert.Equal("\"stored\"", (await sidecar.SendAsync("GET", "/v1.0/state/s/a")).Text);
        await RunningSidecar.UntilAsync(() => Task.FromResult(!events.IsEmpty), "the projection is published");
        Assert.Equal(["\"published\""], events);
    }
}
