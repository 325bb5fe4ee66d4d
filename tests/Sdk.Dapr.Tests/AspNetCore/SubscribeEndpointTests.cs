using System.Net;
using Dapr;
using Dapr.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.Sdk.Tests.AspNetCore;

public sealed class SubscribeEndpointTests
{
    static async Task<string> Subscriptions(Action<WebApplication> map, SubscribeOptions? options = null, Action<WebApplicationBuilder>? build = null)
    {
        await using var app = await TestApp.StartAsync(
            a =>
            {
                map(a);
                if (options is null)
                    a.MapSubscribeHandler();
                else
                    a.MapSubscribeHandler(options);
            },
            build);
        using var response = await app.Http.GetAsync(new Uri("/dapr/subscribe", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Null(response.Content.Headers.ContentType);
        return await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task An_app_without_topics_has_no_subscriptions() =>
        Assert.Equal("[]", await Subscriptions(app => app.MapPost("/x", () => "")));

    [Fact]
    public async Task A_topic_is_reported_with_its_route() =>
        Assert.Equal(
            """[{"topic":"orders","pubsubName":"pubsub","route":"api/orders"}]""",
            await Subscriptions(app => app.MapPost("/api/orders", () => "").WithTopic("pubsub", "orders")));

    [Fact]
    public async Task An_attribute_on_a_handler_counts() =>
        Assert.Equal(
            """[{"topic":"orders","pubsubName":"pubsub","route":"o"}]""",
            await Subscriptions(app => app.MapPost("/o", [Topic("pubsub", "orders")] () => "")));

    [Fact]
    public async Task Topics_are_sorted_and_one_endpoint_may_take_several() =>
        Assert.Equal(
            """[{"topic":"x","pubsubName":"a","route":"one"},{"topic":"a","pubsubName":"b","route":"one"},{"topic":"z","pubsubName":"b","route":"two"}]""",
            await Subscriptions(app =>
            {
                app.MapPost("two", () => "").WithTopic("b", "z");
                app.MapPost("one", [Topic("b", "a")][Topic("a", "x")] () => "");
            }));

    [Fact]
    public async Task Metadata_bulk_and_raw_payload_are_reported() =>
        Assert.Equal(
            """[{"topic":"orders","pubsubName":"pubsub","route":"o1","metadata":{"k":"v"},"bulkSubscribe":{"enabled":true,"maxMessagesCount":100,"maxAwaitDurationMs":1000}},{"topic":"raw","pubsubName":"pubsub","route":"raw","metadata":{"rawPayload":"true"},"deadLetterTopic":"dlq"}]""",
            await Subscriptions(app =>
            {
                app.MapPost("o1", () => "").WithTopic("pubsub", "orders", new Dictionary<string, string> { ["k"] = "v" }).WithBulkSubscribe(new BulkSubscribeTopicOptions { TopicName = "orders" });
                app.MapPost("raw", [Topic("pubsub", "raw", "dlq", true)] () => "");
            }));

    [Fact]
    public async Task Bulk_is_for_the_topic_it_names() =>
        Assert.Equal(
            """[{"topic":"a","pubsubName":"p","route":"x"},{"topic":"b","pubsubName":"p","route":"x","bulkSubscribe":{"enabled":true,"maxMessagesCount":5,"maxAwaitDurationMs":10}}]""",
            await Subscriptions(app => app.MapPost("x", [Topic("p", "a")][Topic("p", "b")][BulkSubscribe("b", 5, 10)] () => "")));

    [Fact]
    public async Task Rules_are_reported_by_priority_with_the_default() =>
        Assert.Equal(
            """[{"topic":"routed","pubsubName":"pubsub","routes":{"default":"v2/d","rules":[{"match":"event.type == \u0022a\u0022","path":"v2/a"},{"match":"event.type == \u0022b\u0022","path":"v2/b"}]}}]""",
            await Subscriptions(app =>
            {
                app.MapPost("v2/b", [Topic("pubsub", "routed", "event.type == \"b\"", 2)] () => "");
                app.MapPost("v2/a", () => "").WithTopic(new TopicOptions { PubsubName = "pubsub", Name = "routed", Match = "event.type == \"a\"", Priority = 1 });
                app.MapPost("v2/d", [Topic("pubsub", "routed")] () => "");
            }));

    [Fact]
    public async Task Rules_need_no_default() =>
        Assert.Equal(
            """[{"topic":"routed","pubsubName":"pubsub","routes":{"rules":[{"match":"true","path":"a"}]}}]""",
            await Subscriptions(app => app.MapPost("a", [Topic("pubsub", "routed", "true", 1)] () => "")));

    [Fact]
    public async Task Metadata_with_an_id_is_for_the_topics_that_own_it_and_same_names_are_joined() =>
        Assert.Equal(
            """[{"topic":"a","pubsubName":"p","route":"x","metadata":{"all":"1","m":"1|2"}},{"topic":"b","pubsubName":"p","route":"x","metadata":{"all":"1"}}]""",
            await Subscriptions(app => app.MapPost(
                "x",
                [Topic("p", "a", ["one", "two"], "|")][Topic("p", "b")][TopicMetadata("all", "1")][TopicMetadata("one", "m", "1")][TopicMetadata("two", "m", "2")] () => "")));

    [Fact]
    public async Task Raw_payload_can_be_said_for_all_topics() =>
        Assert.Equal(
            """[{"topic":"a","pubsubName":"p","route":"x","metadata":{"rawPayload":"true"}}]""",
            await Subscriptions(app => app.MapPost("x", () => "").WithTopic("p", "a"), new SubscribeOptions { EnableRawPayload = true }));

    [Fact]
    public async Task Controllers_are_reported_too() =>
        Assert.Equal(
            """[{"topic":"mvc","pubsubName":"pubsub","route":"things/take"}]""",
            await Subscriptions(app => app.MapControllers(), build: b => b.Services.AddControllers().AddApplicationPart(typeof(ThingsController).Assembly).ConfigureApplicationPartManager(m =>
            {
                m.FeatureProviders.Clear();
                m.FeatureProviders.Add(new Only<ThingsController>());
            })));

    [Fact]
    public async Task A_route_with_parameters_cannot_take_a_topic()
    {
        await using var app = await TestApp.StartAsync(a =>
        {
            a.MapPost("x/{id}", (string id) => id).WithTopic("p", "a");
            a.MapSubscribeHandler();
        });
        using var response = await app.Http.GetAsync(new Uri("/dapr/subscribe", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
    }
}

[ApiController]
[Route("things")]
public sealed class ThingsController : ControllerBase
{
    [Topic("pubsub", "mvc")]
    [HttpPost("take")]
    public IActionResult Take() => Ok();
}
