using System.Text.Json;
using Dapr.Actors;
using Dapr.Actors.Client;
using Dapr.Actors.Communication;
using Dapr.Actors.Runtime;
using Microsoft.Extensions.Logging.Abstractions;

namespace Sdk.Actors.Tests;

public class StateTests
{
    private readonly StoppedTime _time = new();
    private readonly StandInSidecar _sidecar;

    public StateTests() => _sidecar = new StandInSidecar(_time);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string[] Saves => [.. _sidecar.Requests.Where(request => request.Verb == "PUT").Select(request => request.Body)];

    private int Reads => _sidecar.Requests.Count(request => request.Verb == "GET");

    [Fact]
    public async Task Changes_are_saved_together_in_the_sidecars_form()
    {
        var state = Manager();
        await state.SetStateAsync("n", 2, Stop);
        await state.SetStateAsync("short", new Item { Id = "x", Qty = 1 }, TimeSpan.FromSeconds(4.2), Stop);
        await state.SaveStateAsync(Stop);
        await state.RemoveStateAsync("n", Stop);
        await state.SaveStateAsync(Stop);

        Assert.Equal(
            [
                """[{"operation":"upsert","request":{"key":"n","value":2}},{"operation":"upsert","request":{"key":"short","value":{"id":"x","qty":1},"metadata":{"ttlInSeconds":"5"}}}]""",
                """[{"operation":"delete","request":{"key":"n"}}]""",
            ],
            Saves);
        Assert.Equal("text/plain; charset=utf-8", _sidecar.Requests.Last().ContentType);
    }

    [Fact]
    public async Task Nothing_changed_is_nothing_saved()
    {
        var state = Manager();
        await state.TryGetStateAsync<int>("n", Stop);
        await state.SaveStateAsync(Stop);
        await state.SetStateAsync("n", 1, Stop);
        await state.SaveStateAsync(Stop);
        await state.SaveStateAsync(Stop);

        Assert.Single(Saves);
    }

    [Fact]
    public async Task A_value_is_read_once_per_activation()
    {
        await Store("n", 1);
        var state = Manager();
        Assert.Equal(1, await state.GetStateAsync<int>("n", Stop));
        Assert.Equal(1, await state.GetStateAsync<int>("n", Stop));
        Assert.True(await state.ContainsStateAsync("n", Stop));
        Assert.Equal(1, Reads);

        await state.UnloadStateAsync("n", Stop);
        Assert.Equal(1, await state.GetStateAsync<int>("n", Stop));
        Assert.Equal(2, Reads);
    }

    [Fact]
    public async Task What_is_missing_is_told_or_thrown()
    {
        var state = Manager();
        Assert.False((await state.TryGetStateAsync<int>("n", Stop)).HasValue);
        Assert.False(await state.ContainsStateAsync("n", Stop));
        Assert.False(await state.TryRemoveStateAsync("n", Stop));
        await Assert.ThrowsAsync<KeyNotFoundException>(() => state.GetStateAsync<int>("n", Stop));
        await Assert.ThrowsAsync<KeyNotFoundException>(() => state.RemoveStateAsync("n", Stop));
    }

    [Fact]
    public async Task Adding_refuses_what_is_there_saved_or_not()
    {
        await Store("stored", 1);
        var state = Manager();
        await state.AddStateAsync("new", 1, Stop);
        Assert.False(await state.TryAddStateAsync("new", 2, Stop));
        Assert.False(await state.TryAddStateAsync("stored", 2, Stop));
        await Assert.ThrowsAsync<InvalidOperationException>(() => state.AddStateAsync("stored", 2, Stop));
        Assert.Equal(1, await state.GetStateAsync<int>("new", Stop));
    }

    [Fact]
    public async Task Removed_is_gone_before_it_is_saved_and_can_be_added_again()
    {
        await Store("n", 1);
        var state = Manager();
        Assert.True(await state.TryRemoveStateAsync("n", Stop));
        Assert.False(await state.ContainsStateAsync("n", Stop));
        Assert.False(await state.TryRemoveStateAsync("n", Stop));
        Assert.False((await state.TryGetStateAsync<int>("n", Stop)).HasValue);
        Assert.True(await state.TryAddStateAsync("n", 5, Stop));
        await state.SaveStateAsync(Stop);

        Assert.Equal("5", _sidecar.StateOf("CartActor/c1", "n"));
    }

    [Fact]
    public async Task Added_and_removed_again_leaves_no_trace()
    {
        var state = Manager();
        await state.AddStateAsync("n", 1, Stop);
        await state.RemoveStateAsync("n", Stop);
        await state.SaveStateAsync(Stop);

        Assert.Empty(Saves);
        Assert.False(await state.ContainsStateAsync("n", Stop));
    }

    [Fact]
    public async Task A_value_is_got_or_added_and_added_or_updated()
    {
        var state = Manager();
        Assert.Equal(1, await state.GetOrAddStateAsync("n", 1, Stop));
        Assert.Equal(1, await state.GetOrAddStateAsync("n", 2, Stop));
        Assert.Equal(11, await state.AddOrUpdateStateAsync("n", 0, (_, old) => old + 10, Stop));
        Assert.Equal(7, await state.AddOrUpdateStateAsync("m", 7, (_, old) => old + 10, Stop));
        await state.SaveStateAsync(Stop);
        Assert.Equal(("11", "7"), (_sidecar.StateOf("CartActor/c1", "n"), _sidecar.StateOf("CartActor/c1", "m")));
    }

    [Fact]
    public async Task A_value_past_its_time_is_missing_in_the_cache_too()
    {
        var state = Manager();
        await state.SetStateAsync("n", 1, TimeSpan.FromSeconds(10), Stop);
        await state.SaveStateAsync(Stop);
        var other = Manager();
        Assert.Equal(1, await other.GetStateAsync<int>("n", Stop));

        _time.Now += TimeSpan.FromSeconds(10);
        foreach (var manager in new[] { state, other })
        {
            Assert.False((await manager.TryGetStateAsync<int>("n", Stop)).HasValue);
            Assert.False(await manager.ContainsStateAsync("n", Stop));
        }

        Assert.True(await state.TryAddStateAsync("n", 2, Stop));
        await state.SaveStateAsync(Stop);
        Assert.DoesNotContain("ttlInSeconds", Saves[^1]);
    }

    [Fact]
    public async Task Clearing_forgets_what_was_not_saved()
    {
        await Store("n", 1);
        var state = Manager();
        await state.SetStateAsync("n", 2, Stop);
        await Assert.ThrowsAsync<InvalidOperationException>(() => state.UnloadStateAsync("n", Stop));
        await state.ClearCacheAsync(Stop);

        Assert.Equal(1, await state.GetStateAsync<int>("n", Stop));
        await state.SaveStateAsync(Stop);
        Assert.Empty(Saves);
    }

    [Fact]
    public async Task A_save_that_fails_keeps_the_changes()
    {
        var state = Manager();
        await state.SetStateAsync("n", 2, Stop);
        _sidecar.Override = request => request.Method == HttpMethod.Put ? StandInSidecar.Answer(System.Net.HttpStatusCode.InternalServerError) : null;
        await Assert.ThrowsAsync<Dapr.DaprApiException>(() => state.SaveStateAsync(Stop));
        _sidecar.Override = _ => null;
        await state.SaveStateAsync(Stop);

        Assert.Equal("2", _sidecar.StateOf("CartActor/c1", "n"));
    }

    [Fact]
    public async Task A_time_to_live_must_be_positive() =>
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => Manager().SetStateAsync("n", 1, TimeSpan.Zero, Stop));

    [Fact]
    public async Task Null_is_a_value()
    {
        var state = Manager();
        await state.SetStateAsync<string?>("n", null, Stop);
        await state.SaveStateAsync(Stop);

        var read = await Manager().TryGetStateAsync<string?>("n", Stop);
        Assert.True(read.HasValue);
        Assert.Null(read.Value);
    }

    [Fact]
    public async Task A_test_says_what_it_did_not_bring()
    {
        var host = ActorHost.CreateForTest<CartActor>(new ActorTestOptions { ActorId = new ActorId("t") });
        var actor = new CartActor(host, new Journal());

        Assert.Equal("t", await actor.WhoAsync());
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => actor.ListAsync(Stop));
        Assert.Contains("StateManager", failure.Message);
        Assert.Throws<InvalidOperationException>(() => actor.ProxyFactory.Create(new ActorId("x"), "Y"));
    }

    private async Task Store<T>(string name, T value)
    {
        var state = Manager();
        await state.SetStateAsync(name, value, Stop);
        await state.SaveStateAsync(Stop);
        _sidecar.Requests.Clear();
    }

    private ActorStateManager Manager()
    {
        var sidecar = new SidecarActors(_sidecar, "http://sidecar:3500/", null, null);
        return new ActorStateManager(new ActorHost(
            ActorTypeInformation.Get(typeof(CartActor)),
            new ActorId("c1"),
            new JsonSerializerOptions(JsonSerializerDefaults.Web),
            NullLoggerFactory.Instance,
            new ActorProxyFactory(),
            new SidecarTimers(sidecar, _time),
            sidecar,
            _time));
    }
}
