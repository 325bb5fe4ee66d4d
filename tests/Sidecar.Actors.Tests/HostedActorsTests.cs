using DaprPlatform.Sidecar.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Actors.Tests;

public sealed class HostedActorsTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly FakeApp _app = new();
    private readonly HostedActors _hosted;

    public HostedActorsTests()
    {
        _hosted = new HostedActors(_time, Calls.Metrics, NullLogger.Instance);
        Host(ActorSettings.Default with { IdleTimeout = TimeSpan.FromSeconds(10) });
    }

    public void Dispose() => _hosted.Dispose();

    [Fact]
    public async Task An_actor_is_deactivated_when_it_was_idle_for_its_time_and_a_call_puts_that_off()
    {
        await CallAsync("1");
        _time.Advance(TimeSpan.FromSeconds(6));
        await CallAsync("1");
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.True(_hosted.IsActive("Cart", "1"));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(["do 1", "do 1", "deactivate 1"], [await _app.NextAsync(), await _app.NextAsync(), await _app.NextAsync()]);
        await CallAsync("1");
        Assert.True(_hosted.IsActive("Cart", "1"));
    }

    [Fact]
    public async Task A_call_that_outlasts_the_idle_time_is_cut_off()
    {
        _app.Hold("do");
        var call = CallAsync("1");
        await _app.NextAsync();
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(ActorErrors.Cut, (await Assert.ThrowsAsync<ActorCallException>(() => call)).Message);
        Assert.Equal("deactivate 1", await _app.NextAsync());
    }

    [Fact]
    public async Task An_actor_whose_app_refuses_the_deactivation_can_be_called_again()
    {
        _app.RefusesDeactivation = true;
        await CallAsync("1");
        _time.Advance(TimeSpan.FromSeconds(11));
        await _app.NextAsync();
        Assert.Equal("deactivate 1", await _app.NextAsync());
        await CallAsync("1");
        Assert.Equal("do 1", await _app.NextAsync());
    }

    [Fact]
    public async Task Draining_lets_the_call_under_way_end_and_sends_those_away_who_wait()
    {
        var held = _app.Hold("do");
        var first = CallAsync("1");
        await _app.NextAsync();
        var waiting = CallAsync("1");
        _hosted.IsHere = static (_, _) => false;
        var leaving = _hosted.KeepAsync(static (_, _) => false, rebalanced: true);
        Assert.False(_app.TryNext(out _));
        held.SetResult();
        await first;
        Assert.Equal("deactivate 1", await _app.NextAsync());
        await leaving;
        await Assert.ThrowsAsync<ActorMovedException>(() => waiting);
    }

    [Fact]
    public async Task A_call_that_does_not_end_within_the_drain_timeout_is_cut_off()
    {
        _app.Hold("do");
        var call = CallAsync("1");
        await _app.NextAsync();
        var leaving = _hosted.KeepAsync(static (_, _) => false, rebalanced: true);
        _time.Advance(ActorSettings.Default.DrainTimeout);
        await Assert.ThrowsAsync<ActorCallException>(() => call);
        await leaving;
        Assert.Equal("deactivate 1", await _app.NextAsync());
    }

    [Fact]
    public async Task Without_draining_it_is_cut_off_at_once()
    {
        Host(ActorSettings.Default with { Drain = false });
        _app.Hold("do");
        var call = CallAsync("1");
        await _app.NextAsync();
        await _hosted.KeepAsync(static (_, _) => false, rebalanced: true);
        await Assert.ThrowsAsync<ActorCallException>(() => call);
    }

    [Fact]
    public async Task A_call_that_comes_during_the_deactivation_activates_the_actor_anew()
    {
        var held = _app.Hold("do");
        var first = CallAsync("1");
        await _app.NextAsync();
        var leaving = _hosted.KeepAsync(static (_, _) => false, rebalanced: false);
        var second = CallAsync("1");
        held.SetResult();
        await Task.WhenAll(first, second, leaving);
        Assert.Equal(["deactivate 1", "do 1"], [await _app.NextAsync(), await _app.NextAsync()]);
    }

    [Fact]
    public async Task An_actor_that_belongs_to_another_sidecar_is_not_activated()
    {
        _hosted.IsHere = static (_, id) => id != "far";
        await Assert.ThrowsAsync<ActorMovedException>(() => CallAsync("far"));
        Assert.False(_hosted.IsActive("Cart", "far"));
        await Assert.ThrowsAsync<ActorMovedException>(() => _hosted.RunAsync("Unknown", "1", null, 0, static (_, _, _, _) => ValueTask.FromResult(0), Calls.Cancelled).AsTask());
    }

    [Fact]
    public async Task Nesting_beyond_the_depth_is_refused_with_daprs_error()
    {
        Host(ActorSettings.Default with { MaxDepth = 2 });
        var outer = _hosted.RunAsync("Cart", "1", "chain", this, static async (test, _, chain, token) =>
            await test._hosted.RunAsync("Cart", "1", chain, test, static async (t, _, c, k) => await t._hosted.RunAsync("Cart", "1", c, 0, static (_, _, _, _) => ValueTask.FromResult(true), k), token), Calls.Cancelled).AsTask();
        Assert.Equal("ERR_ACTOR_STACK_DEPTH", (await Assert.ThrowsAsync<ApiException>(() => outer)).ErrorCode);
        await CallAsync("1");
    }

    private void Host(ActorSettings settings) => _hosted.SetTypes(new Dictionary<string, ActorSettings> { ["Cart"] = settings }, _app);

    private Task<ActorAnswer> CallAsync(string id) =>
        _hosted.RunAsync("Cart", id, null, Calls.To(id), static (call, type, chain, token) => type.App.InvokeAsync(call, chain, token), Calls.Cancelled).AsTask();
}
