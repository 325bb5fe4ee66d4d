using System.Net;
using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.OpsConsole.Tests;

public sealed class DaprApiTests(ConsoleWorld world) : IClassFixture<ConsoleWorld>
{
    [Fact]
    public async Task Components_are_shown_with_what_stands_for_them_and_without_their_secrets()
    {
        var components = (await world.GetAsync("dapr/components")).AsArray();
        var store = components.First(c => (string?)c!["name"] == "store")!;
        Assert.Equal(("state.redis", "v1"), ((string?)store["type"], (string?)store["version"]));
        Assert.Equal("shop", (string?)store["apps"]![0]);
        Assert.NotEmpty((string?)store["standsFor"] ?? "");
        Assert.Contains("ETAG", store["capabilities"]!.AsArray().Select(c => (string?)c));
        Assert.Equal(("localhost:6379", "***"), ((string?)store["metadata"]!["redisHost"], (string?)store["metadata"]!["redisPassword"]));
        Assert.Null(components.First(c => (string?)c!["name"] == "memory")!["standsFor"]);
        Assert.DoesNotContain("hunter2", components.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Configurations_have_their_names_and_no_secrets()
    {
        var configuration = Assert.Single((await world.GetAsync("dapr/configurations")).AsArray())!;
        Assert.Equal(("shop-config", "shop"), ((string?)configuration["name"], (string?)configuration["apps"]![0]));
        var otel = configuration["spec"]!["tracing"]!["otel"]!;
        Assert.Equal(("http://***@localhost:4318", "***"), ((string?)otel["endpointAddress"], (string?)otel["authToken"]));
    }

    [Fact]
    public async Task Subscriptions_name_their_routes_and_dead_letter_topics()
    {
        var subscriptions = (await world.GetAsync("dapr/subscriptions")).AsArray();
        var orders = subscriptions.First(s => (string?)s!["topic"] == "orders")!;
        Assert.Equal(("shop", "events", "declarative"), ((string?)orders["app"], (string?)orders["pubsub"], (string?)orders["kind"]));
        Assert.Equal([("event.type == \"gone\"", "/events/gone"), (null, "/events/orders")], orders["routes"]!.AsArray().Select(r => ((string?)r!["match"], (string?)r["path"])));
        Assert.Equal("broken.dlq", (string?)subscriptions.First(s => (string?)s!["topic"] == "broken")!["deadLetterTopic"]);
    }

    [Fact]
    public async Task Topics_show_partitions_and_the_lag_of_groups_and_messages_are_read_by_offset()
    {
        var topic = await world.UntilToldAsync("dapr", async _ => (await world.GetAsync("dapr/topics")).AsArray()
            .FirstOrDefault(t => (string?)t!["topic"] == "orders" && t["groups"]!.AsArray().Any(g => (string?)g!["group"] == "shop" && (long)g["lag"]! == 0 && g["offsets"]!.AsArray().Sum(o => (long)o!["offset"]!) >= 5)), async () =>
            {
                for (var i = 0; i < 5; i++)
                    await world.DoneAsync("POST", "/v1.0/publish/events/orders?metadata.partitionKey=one", $$"""{"n":{{i}}}""");
            });
        Assert.Equal("events", (string?)topic["pubsub"]![0]);
        var server = Uri.EscapeDataString((string)topic["server"]!);
        var partition = topic["partitions"]!.AsArray().First(p => (long)p!["next"]! >= 5)!;
        var path = $"dapr/topics/{server}/orders/messages";
        var first = await world.GetAsync($"{path}?partition={partition["partition"]}&from=0&limit=2");
        Assert.Equal([0L, 1L], first["items"]!.AsArray().Select(m => (long)m!["offset"]!));
        Assert.Equal("2", (string?)first["next"]);
        Assert.Equal("one", (string?)first["items"]![0]!["key"]);
        Assert.Equal(0, (int)JsonNode.Parse((string)first["items"]![0]!["value"]!)!["data"]!["n"]!);
        var newest = (await world.GetAsync($"{path}?limit=1"))["items"]!.AsArray();
        Assert.Equal(4, (int)JsonNode.Parse((string)Assert.Single(newest)!["value"]!)!["data"]!["n"]!);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", $"dapr/topics/{server}/nothing/messages")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", "dapr/topics/elsewhere/orders/messages")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", $"{path}?partition=77")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("GET", $"{path}?from=1")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("GET", $"{path}?limit=0")).Status);
    }

    [Fact]
    public async Task A_setting_is_set_under_any_key_and_secrets_among_them_are_hidden()
    {
        Assert.Equal(HttpStatusCode.NoContent, (await world.SendAsync("PUT", "dapr/configuration/settings/limits%2Fmost", """{"value":"7"}""")).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await world.SendAsync("PUT", "dapr/configuration/settings/api-token", """{"value":"abc"}""")).Status);
        var items = (await world.GetAsync("dapr/configuration")).AsArray();
        Assert.Equal("7", (string?)items.First(i => (string?)i!["key"] == "limits/most")!["value"]);
        Assert.Equal("***", (string?)items.First(i => (string?)i!["key"] == "api-token")!["value"]);
        Assert.Contains("\"7\"", (await world.CallAsync("GET", "/v1.0/configuration/settings?key=limits/most")).Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("PUT", "dapr/configuration/nowhere/a", """{"value":"7"}""")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("PUT", "dapr/configuration/settings/a", """{"value":"7||8"}""")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("PUT", "dapr/configuration/settings/a", "{}")).Status);
    }

    [Fact]
    public async Task A_lock_that_is_held_names_its_owner_and_one_given_back_is_gone()
    {
        await world.DoneAsync("POST", "/v1.0-alpha1/lock/locks", """{"resourceId":"till","lockOwner":"clerk","expiryInSeconds":600}""");
        var held = (await world.GetAsync("dapr/locks")).AsArray().First(l => ((string)l!["resource"]!).EndsWith("till", StringComparison.Ordinal))!;
        Assert.Equal(("locks", "clerk"), ((string?)held["store"], (string?)held["owner"]));
        Assert.True((DateTimeOffset)held["expiresAt"]! > DateTimeOffset.UtcNow);
        await world.DoneAsync("POST", "/v1.0-alpha1/unlock/locks", """{"resourceId":"till","lockOwner":"clerk"}""");
        Assert.DoesNotContain((await world.GetAsync("dapr/locks")).AsArray(), l => ((string)l!["resource"]!).EndsWith("till", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Jobs_are_paged_with_their_next_time_and_data()
    {
        foreach (var name in (string[])["a", "b", "c"])
            await world.DoneAsync("POST", $"/v1.0-alpha1/jobs/{name}", """{"schedule":"@every 1h","repeats":3,"data":{"x":1}}""");
        var names = new List<string?>();
        string? next = null;
        do
        {
            var page = await world.GetAsync($"dapr/jobs?limit=2{(next is null ? "" : $"&after={Uri.EscapeDataString(next)}")}");
            names.AddRange(page["items"]!.AsArray().Select(j => (string?)j!["name"]));
            var job = page["items"]![0]!;
            Assert.Equal(("shop", "@every 1h", 3), ((string?)job["app"], (string?)job["schedule"], (int)job["repeats"]!));
            Assert.True((DateTimeOffset)job["dueAt"]! > DateTimeOffset.UtcNow);
            Assert.Contains("\"x\"", (string)job["data"]!, StringComparison.Ordinal);
            next = (string?)page["next"];
        }
        while (next is not null);

        Assert.Equal(["a", "b", "c"], names);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("GET", "dapr/jobs?after=nonsense")).Status);
    }

    [Fact]
    public async Task Actors_are_counted_by_type_and_named_on_demand_with_their_reminders()
    {
        await world.DoneAsync("POST", "/v1.0/actors/Cart/c1/method/add", "{}");
        await world.DoneAsync("POST", "/v1.0/actors/Cart/c1/reminders/wake", """{"dueTime":"1h","period":"2h"}""");
        var cart = (await world.GetAsync("dapr/actors?entities=Cart")).AsArray().First(a => (string?)a!["type"] == "Cart")!;
        Assert.Equal(("shop", 1, "c1"), ((string?)cart["app"], (int)cart["active"]!, (string?)cart["entities"]![0]));
        Assert.Null((await world.GetAsync("dapr/actors")).AsArray().First(a => (string?)a!["type"] == "Cart")!["entities"]);
        var reminder = Assert.Single((await world.GetAsync("dapr/reminders"))["items"]!.AsArray())!;
        Assert.Equal(("Cart", "c1", "wake"), ((string?)reminder["actorType"], (string?)reminder["actorId"], (string?)reminder["name"]));
        Assert.NotNull(reminder["period"]);
    }

    [Fact]
    public async Task A_breaker_that_has_opened_says_until_when()
    {
        Assert.Equal(HttpStatusCode.InternalServerError, (await world.CallAsync("POST", "/v1.0/invoke/shop/method/fail", "{}")).Status);
        var resiliency = await world.GetAsync("dapr/resiliency");
        Assert.Equal(("guard", "circuitBreaker", "fuse"), resiliency["policies"]!.AsArray().Select(p => ((string?)p!["resource"], (string?)p["kind"], (string?)p["name"])).Single());
        Assert.Equal(("app", "shop"), resiliency["targets"]!.AsArray().Select(t => ((string?)t!["kind"], (string?)t["name"])).Single());
        var breaker = resiliency["breakers"]!.AsArray().First(b => (string?)b!["state"] == "open")!;
        Assert.Equal(("shop", "app_shop", "fuse"), ((string?)breaker["app"], (string?)breaker["target"], (string?)breaker["policy"]));
        Assert.True((DateTimeOffset)breaker["openUntil"]! > DateTimeOffset.UtcNow);
    }

    [Fact]
    public async Task Calls_are_counted_by_building_block()
    {
        var before = world.View.Calls.Take();
        for (var i = 0; i < 10; i++)
            await world.DoneAsync("GET", "/v1.0/state/store/nothing");
        var rates = world.View.Calls.Between(before, world.View.Calls.Take());
        var state = Assert.Single(rates, r => (r.App, r.Block) == ("shop", "state"));
        Assert.True(state.PerSecond > 0);
        Assert.Equal(0, state.ErrorsPerSecond);
        Assert.IsType<JsonArray>(await world.GetAsync("dapr/calls"));
    }

    [Fact]
    public async Task The_stream_tells_calls_and_lag_while_somebody_listens()
    {
        var told = await world.ToldAsync("dapr", d => d["calls"]!.AsArray().Any(c => (string?)c!["block"] == "pubsub"), () => world.DoneAsync("POST", "/v1.0/publish/events/orders", "{}"));
        Assert.Contains(told["topics"]!.AsArray(), t => (string?)t!["topic"] == "orders");
    }

    [Fact]
    public async Task A_topic_of_Redis_streams_shows_what_waits_and_what_is_under_way_and_its_messages_are_read()
    {
        var (arrived, answer) = Hold("/events/parcels");
        await world.DoneAsync("POST", "/v1.0/publish/queue/parcels", """{"n":1}""");
        await arrived.Task.WaitAsync(ConsoleWorld.Patience, ConsoleWorld.Token);
        var topic = await TopicAsync("parcels");
        Assert.Equal(("queue", "stream", 1), ((string?)topic["pubsub"]![0], (string?)topic["kind"], (long)topic["messages"]!));
        var group = Assert.Single(topic["groups"]!.AsArray())!;
        Assert.Equal(("shop", 0, 1), ((string?)group["group"], (long)group["lag"]!, (int)group["pending"]!));
        Assert.Equal(("parcels.dlq", 0), ((string?)topic["deadLetters"]![0]!["topic"], (long)topic["deadLetters"]![0]!["messages"]!));
        var page = await world.GetAsync($"dapr/topics/{Uri.EscapeDataString((string)topic["server"]!)}/parcels/messages?partition=0&from=0");
        Assert.Contains("\"n\":1", (string)Assert.Single(page["items"]!.AsArray())!["value"]!, StringComparison.Ordinal);
        await world.UntilToldAsync("dapr", async _ => (int)(await TopicAsync("parcels"))["groups"]![0]!["pending"]! == 0 ? "acknowledged" : null, () =>
        {
            answer.SetResult();
            return Task.CompletedTask;
        });
    }

    [Fact]
    public async Task A_topic_in_memory_shows_its_subscribers_and_what_waits_for_them()
    {
        var (arrived, answer) = Hold("/events/bells");
        for (var i = 0; i < 3; i++)
            await world.DoneAsync("POST", "/v1.0/publish/wire/bells", "{}");
        await arrived.Task.WaitAsync(ConsoleWorld.Patience, ConsoleWorld.Token);
        var topic = await TopicAsync("bells");
        Assert.Equal(("wire", "memory", ""), ((string?)topic["pubsub"]![0], (string?)topic["kind"], (string?)topic["server"]));
        var group = Assert.Single(topic["groups"]!.AsArray())!;
        // One is with the app, the others wait for it.
        Assert.Equal(("shop", 2), ((string?)group["group"], (long)group["lag"]!));
        await world.UntilToldAsync("dapr", async _ => (long)(await TopicAsync("bells"))["groups"]![0]!["lag"]! == 0 ? "delivered" : null, () =>
        {
            answer.SetResult();
            return Task.CompletedTask;
        });
    }

    [Theory]
    [InlineData("state", "POST", "/v1.0/state/store", """[{"key":"told","value":1}]""")]
    [InlineData("state", "POST", "/v1.0/state/memory/transaction", """{"operations":[{"operation":"upsert","request":{"key":"told","value":1}}]}""")]
    [InlineData("locks", "POST", "/v1.0-alpha1/lock/locks", """{"resourceId":"told","lockOwner":"clerk","expiryInSeconds":600}""")]
    [InlineData("jobs", "POST", "/v1.0-alpha1/jobs/told", """{"schedule":"@every 1h"}""")]
    [InlineData("reminders", "POST", "/v1.0/actors/Cart/told/reminders/wake", """{"dueTime":"1h"}""")]
    [InlineData("actors", "POST", "/v1.0/actors/Till/t1/method/add", "{}")]
    [InlineData("breakers", "POST", "/v1.0/invoke/shop/method/fail-again", "{}")]
    public async Task A_change_of_a_list_is_told_to_those_who_look(string area, string method, string path, string body)
    {
        world.StandIn.On("/actors/Till/t1/method/add").On("/actors/Till/t1").Answers["/fail-again"] = context =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        };
        var told = await world.ToldAsync("changes", d => d["areas"]!.AsArray().Any(a => (string?)a == area), async () => await world.CallAsync(method, path, body));
        if (area == "state")
            Assert.Contains(path.Split('/')[3], told["stores"]!.AsArray().Select(s => (string?)s));
        // Others of this class take locks and jobs, too.
        if (area == "locks")
            await world.DoneAsync("POST", "/v1.0-alpha1/unlock/locks", """{"resourceId":"told","lockOwner":"clerk"}""");
        if (area == "jobs")
            await world.DoneAsync("DELETE", "/v1.0-alpha1/jobs/told");
        if (area == "reminders")
            await world.DoneAsync("DELETE", "/v1.0/actors/Cart/told/reminders/wake");
    }

    [Fact]
    public async Task Setting_an_item_is_told_to_those_who_look() =>
        await world.ToldAsync("changes", d => d["areas"]!.AsArray().Any(a => (string?)a == "settings"), () => world.SendAsync("PUT", "dapr/configuration/settings/told", """{"value":"1"}"""));

    [Fact]
    public async Task Where_the_runtime_is_not_this_process_it_says_so()
    {
        var held = new List<IAsyncDisposable>();
        using var blind = await world.BlindAsync(held);
        foreach (var path in (string[])["dapr/topics", "dapr/configurations", "dapr/locks", "dapr/jobs", "dapr/reminders", "dapr/resiliency", "dapr/calls", "dapr/state", "dead-letters"])
        {
            using var response = await blind.GetAsync(path, ConsoleWorld.Token);
            Assert.Equal((path, HttpStatusCode.NotImplemented), (path, response.StatusCode));
            Assert.Equal("about:console/not-visible", (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync(ConsoleWorld.Token))!["type"]);
        }

        foreach (var path in (string[])["dapr/components", "dapr/subscriptions", "dapr/actors", "dapr/configuration"])
            Assert.Equal("[]", await blind.GetStringAsync(path, ConsoleWorld.Token));
        foreach (var thing in held)
            await thing.DisposeAsync();
    }

    private async Task<JsonNode> TopicAsync(string name) => (await world.GetAsync("dapr/topics")).AsArray().Single(t => (string?)t!["topic"] == name)!;

    // The app takes what comes to a path and does not answer before it is told to.
    private (TaskCompletionSource Arrived, TaskCompletionSource Answer) Hold(string path)
    {
        var (arrived, answer) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        world.StandIn.Answers[path] = async context =>
        {
            arrived.TrySetResult();
            await answer.Task.WaitAsync(context.RequestAborted);
        };
        return (arrived, answer);
    }
}
