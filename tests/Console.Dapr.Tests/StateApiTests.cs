using System.Net;

namespace DaprPlatform.Cli.OpsConsole.Tests;

public sealed class StateApiTests(ConsoleWorld world) : IClassFixture<ConsoleWorld>
{
    [Fact]
    public async Task Stores_are_listed_by_app()
    {
        var stores = (await world.GetAsync("dapr/state")).AsArray();
        Assert.Equal([("memory", "state.in-memory", true), ("store", "state.redis", true)], stores.Select(s => ((string?)s!["store"], (string?)s["type"], (bool)s["browsable"]!)));
    }

    [Fact]
    public async Task Keys_are_paged_as_the_app_knows_them()
    {
        await world.DoneAsync("POST", "/v1.0/state/store", """[{"key":"p-1","value":"a"},{"key":"p-2","value":"bb"},{"key":"p-3","value":"c"},{"key":"q","value":"d"}]""");
        var first = await world.GetAsync("dapr/state/shop/store?prefix=p-&limit=2");
        Assert.Equal(["p-1", "p-2"], first["items"]!.AsArray().Select(k => (string?)k!["key"]));
        Assert.Equal(4, (int)first["items"]![1]!["bytes"]!);
        var second = await world.GetAsync($"dapr/state/shop/store?prefix=p-&limit=2&after={first["next"]}");
        Assert.Equal("p-3", (string?)Assert.Single(second["items"]!.AsArray())!["key"]);
        Assert.Null(second["next"]);
    }

    [Theory]
    [InlineData("store")]
    [InlineData("memory")]
    public async Task A_value_is_changed_only_over_the_version_that_was_read(string store)
    {
        await world.DoneAsync("POST", $"/v1.0/state/{store}", """[{"key":"edit","value":{"n":1}}]""");
        var path = $"dapr/state/shop/{store}/edit";
        var read = await world.GetAsync(path);
        Assert.Equal("{\"n\":1}", (string?)read["value"]);
        Assert.Equal(HttpStatusCode.PreconditionRequired, (await world.SendAsync("PUT", path, """{"n":2}""")).Status);
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await world.SendAsync("PUT", path, """{"n":2}""", ("If-Match", "no such version"))).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("PUT", path, """{"n":2}""", ("If-Match", "*"))).Status);
        var (status, written) = await world.SendAsync("PUT", path, """{"n":2}""", ("If-Match", $"\"{read["etag"]}\""));
        Assert.Equal((HttpStatusCode.OK, "{\"n\":2}"), (status, (string?)written!["value"]));
        Assert.Equal("{\"n\":2}", (await world.CallAsync("GET", $"/v1.0/state/{store}/edit")).Text);
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await world.SendAsync("DELETE", path, null, ("If-Match", (string)read["etag"]!))).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await world.SendAsync("DELETE", path, null, ("If-Match", (string)written["etag"]!))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", path)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("PUT", path, "1", ("If-Match", (string)written["etag"]!))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("DELETE", path, null, ("If-Match", "1"))).Status);
    }

    [Fact]
    public async Task A_plain_save_of_the_app_goes_on_after_an_edit()
    {
        await world.DoneAsync("POST", "/v1.0/state/store", """[{"key":"shared","value":1}]""");
        var read = await world.GetAsync("dapr/state/shop/store/shared");
        Assert.Equal(HttpStatusCode.OK, (await world.SendAsync("PUT", "dapr/state/shop/store/shared", "2", ("If-Match", (string)read["etag"]!))).Status);
        await world.DoneAsync("POST", "/v1.0/state/store", """[{"key":"shared","value":3}]""");
        Assert.Equal("3", (string?)(await world.GetAsync("dapr/state/shop/store/shared"))["value"]);
    }

    [Fact]
    public async Task A_key_that_is_not_there_is_made_once_and_its_slashes_are_its_own()
    {
        const string path = "dapr/state/shop/memory/folder%2Fnew key";
        var (status, made) = await world.SendAsync("PUT", path, "\"x\"", ("If-None-Match", "*"));
        Assert.Equal((HttpStatusCode.OK, "folder/new key"), (status, (string?)made!["key"]));
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await world.SendAsync("PUT", path, "\"y\"", ("If-None-Match", "*"))).Status);
        Assert.Equal("\"x\"", (await world.CallAsync("GET", "/v1.0/state/memory/folder%2Fnew%20key")).Text);
    }

    [Theory]
    [InlineData("store")]
    [InlineData("memory")]
    public async Task The_time_to_live_is_shown_kept_by_an_edit_and_changed_on_demand(string store)
    {
        await world.DoneAsync("POST", $"/v1.0/state/{store}", """[{"key":"brief","value":1,"metadata":{"ttlInSeconds":"3600"}}]""");
        var path = $"dapr/state/shop/{store}/brief";
        var read = await world.GetAsync(path);
        var expires = (DateTimeOffset)read["expiresAt"]!;
        Assert.True(expires > DateTimeOffset.UtcNow.AddMinutes(30));
        var (_, kept) = await world.SendAsync("PUT", path, "2", ("If-Match", (string)read["etag"]!));
        Assert.InRange((DateTimeOffset)kept!["expiresAt"]!, expires.AddSeconds(-300), expires.AddSeconds(300));
        var (_, shorter) = await world.SendAsync("PUT", path + "?ttlSeconds=7200", "3", ("If-Match", (string)kept["etag"]!));
        Assert.True((DateTimeOffset)shorter!["expiresAt"]! > expires.AddMinutes(30));
        var (_, endless) = await world.SendAsync("PUT", path + "?ttlSeconds=0", "4", ("If-Match", (string)shorter["etag"]!));
        Assert.Null(endless!["expiresAt"]);
    }

    [Fact]
    public async Task Keys_of_the_runtime_itself_are_left_out_unless_asked_for_and_never_changed()
    {
        await world.DoneAsync("POST", "/v1.0/actors/Cart/c1/method/add", "{}");
        await world.DoneAsync("POST", "/v1.0/actors/Cart/c1/state", """[{"operation":"upsert","request":{"key":"items","value":[1]}}]""");
        Assert.DoesNotContain((await world.GetAsync("dapr/state/shop/store"))["items"]!.AsArray(), k => ((string)k!["key"]!).Contains("||", StringComparison.Ordinal));
        var all = (await world.GetAsync("dapr/state/shop/store?internal=true"))["items"]!.AsArray();
        var key = (string)all.First(k => ((string)k!["key"]!).StartsWith("Cart||c1||", StringComparison.Ordinal))!["key"]!;
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("DELETE", $"dapr/state/shop/store/{Uri.EscapeDataString(key)}", null, ("If-Match", "1"))).Status);
    }

    [Fact]
    public async Task An_unknown_app_or_store_is_not_found()
    {
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", "dapr/state/nobody/store")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", "dapr/state/shop/nothing")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", "dapr/state/shop/store/nothing")).Status);
    }
}
