using Dapr;
using Dapr.Actors;
using Dapr.Actors.Client;
using Dapr.Actors.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Sdk.Actors.Tests.Daprd;

/// <summary>An app that hosts actors behind the embedded runtime, both of them real.</summary>
public sealed class ActorApp : IAsyncLifetime
{
    private WebApplication _app = null!;
    private SidecarProcess _sidecar = null!;

    internal Diary Diary { get; } = new();

    internal SidecarProcess Sidecar => _sidecar;

    public async ValueTask InitializeAsync()
    {
        var port = SidecarProcess.FreePort();
        _sidecar = new SidecarProcess(port);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Services.AddSingleton(Diary);
        builder.Services.AddActors(options =>
        {
            options.HttpEndpoint = _sidecar.HttpEndpoint;
            options.UseJsonSerialization = true;
            options.ReentrancyConfig = new ActorReentrancyConfig { Enabled = true, MaxStackDepth = 8 };
            options.Actors.RegisterActor<ShelfActor>();
            options.Actors.RegisterActor<BriefActor>(new ActorRuntimeOptions { ActorIdleTimeout = TimeSpan.FromSeconds(1), UseJsonSerialization = true });
            options.Actors.RegisterActor<CartActor>(new ActorRuntimeOptions { UseJsonSerialization = false });
        });
        builder.Services.AddSingleton<Journal>();
        _app = builder.Build();
        _app.MapActorsHandlers();
        await _app.StartAsync(CancellationToken.None);
        await _sidecar.StartAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _sidecar.DisposeAsync();
        await _app.DisposeAsync();
    }

    internal IShelf Shelf(string id) => Proxies().CreateActorProxy<IShelf>(new ActorId(id), "ShelfActor");

    internal T Proxy<T>(string id, string type) where T : IActor => Proxies().CreateActorProxy<T>(new ActorId(id), type);

    internal ActorProxy Weak(string id, string type = "ShelfActor") => Proxies().Create(new ActorId(id), type);

    private IActorProxyFactory Proxies() => _app.Services.GetRequiredService<IActorProxyFactory>();
}

public sealed class SidecarTests(ActorApp app) : IClassFixture<ActorApp>
{
    [Fact]
    public async Task A_strong_proxy_calls_an_actor_which_keeps_its_state()
    {
        var shelf = app.Shelf("strong");
        Assert.Equal(2, await shelf.PutAsync("nut", 2));
        Assert.Equal(5, await shelf.PutAsync("nut", 3));
        Assert.Equal(1, await shelf.PutAsync("ünit", 1));
        var total = await shelf.TotalAsync();
        Assert.Equal((6, "nut,ünit"), (total.Count, string.Join(',', total.Names)));
        Assert.Equal(0, (await app.Shelf("another").TotalAsync()).Count);
    }

    [Fact]
    public async Task A_weak_proxy_calls_by_name()
    {
        var cart = app.Weak("weak", "CartActor");
        Assert.Equal(7, await cart.InvokeMethodAsync<Item, int>("TwoAsync", new Item { Id = "1", Qty = 7 }, TestContext.Current.CancellationToken));
        Assert.Equal(1, await cart.InvokeMethodAsync<int>("OneAsync", TestContext.Current.CancellationToken));
        await cart.InvokeMethodAsync("NothingAsync", TestContext.Current.CancellationToken);
        var failure = await Assert.ThrowsAsync<DaprApiException>(() => cart.InvokeMethodAsync("FailAsync", "broken", TestContext.Current.CancellationToken));
        Assert.Equal("ERR_ACTOR_INVOKE_METHOD", failure.ErrorCode);
    }

    [Fact]
    public async Task A_proxy_that_speaks_data_contracts_is_understood_too()
    {
        var cart = ActorProxy.Create<ICartActor>(new ActorId("binary"), "CartActor", new ActorProxyOptions { HttpEndpoint = app.Sidecar.HttpEndpoint });
        Assert.Equal(4, await cart.TwoAsync(new Item { Id = "1", Qty = 4 }));
    }

    [Fact]
    public async Task An_actors_exception_reaches_the_caller_and_nothing_of_the_call_is_saved()
    {
        var shelf = app.Shelf("failing");
        await shelf.PutAsync("nut", 1);
        var failure = await Assert.ThrowsAsync<ActorMethodInvocationException>(() => shelf.FailAsync("the shelf is full"));
        Assert.Equal("the shelf is full", failure.InnerException!.Message);
        Assert.Equal(1, (await shelf.TotalAsync()).Count);
    }

    [Fact]
    public async Task Calls_of_one_actor_take_turns_and_those_of_others_do_not_wait()
    {
        var shelf = app.Shelf("turns");
        var calls = Enumerable.Range(0, 5).Select(_ => shelf.HoldAsync()).ToArray();
        foreach (var _ in calls)
        {
            Assert.Equal("holding turns 1", await app.Diary.NextAsync("holding turns"));
            await app.Shelf("another turn").PutAsync("nut", 1);
            app.Diary.Let.Release();
        }

        await Task.WhenAll(calls);
    }

    [Fact]
    public async Task A_chain_of_calls_may_come_back_to_where_it_began()
    {
        await app.Shelf("chain-a").PassAsync(["chain-b", "chain-a", "chain-b"]);
        Assert.Equal(2, (await app.Shelf("chain-a").TotalAsync()).Count);
        Assert.Equal(2, (await app.Shelf("chain-b").TotalAsync()).Count);
        Assert.Equal(8, await app.Shelf("as-deep").PassAsync([.. Enumerable.Repeat("as-deep", 7)]));
        await Assert.ThrowsAsync<ActorMethodInvocationException>(() => app.Shelf("deep").PassAsync([.. Enumerable.Repeat("deep", 8)]));
        // The chain that was cut off holds nobody up.
        await app.Shelf("deep").TotalAsync();
    }

    [Fact]
    public async Task State_with_a_time_to_live_goes()
    {
        var shelf = app.Shelf("ttl");
        await shelf.PutForAsync("while", TimeSpan.FromSeconds(1));
        await shelf.PutForAsync("long", TimeSpan.FromHours(1));
        await Poll.UntilAsync(async () => !await shelf.HasAsync("while"), TestContext.Current.CancellationToken);
        Assert.True(await shelf.HasAsync("long"));
    }

    [Fact]
    public async Task An_idle_actor_is_deactivated_and_finds_its_state_again()
    {
        var brief = app.Proxy<IBrief>("b1", "Brief");
        Assert.Equal(1, await brief.CountAsync());
        Assert.Equal("deactivated b1", await app.Diary.NextAsync("deactivated b1"));
        Assert.Equal(1, await brief.CountAsync());
        Assert.Equal(2, await brief.StoredAsync());
    }

    [Fact]
    public async Task Reminders_fire_can_be_read_and_forgotten()
    {
        var shelf = app.Shelf("reminded");
        await shelf.RemindAsync("once", [1, 2], TimeSpan.Zero, TimeSpan.FromMilliseconds(-1));
        Assert.Equal("reminder reminded once 0102", await app.Diary.NextAsync("reminder reminded once"));
        await shelf.RemindTimesAsync("twice", 2);
        for (var i = 0; i < 2; i++)
            await app.Diary.NextAsync("reminder reminded twice");
        await shelf.RemindAsync("far", [3], TimeSpan.FromHours(1), TimeSpan.FromHours(2));
        Assert.Equal("far 01:00:00 02:00:00 03", await shelf.AboutReminderAsync("far"));
        await shelf.ForgetAsync("far");
        Assert.Null(await shelf.AboutReminderAsync("far"));
        Assert.Null(await shelf.AboutReminderAsync("never"));
    }

    [Fact]
    public async Task Timers_fire_until_they_are_stopped()
    {
        var shelf = app.Shelf("timed");
        await shelf.StartTimerAsync("tick", [9], TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
        for (var i = 0; i < 3; i++)
            Assert.Equal("timer timed 09", await app.Diary.NextAsync("timer timed"));
        await shelf.StopTimerAsync("tick");
        await shelf.StartTimerAsync("once", [7], TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(-1));
        while (await app.Diary.NextAsync("timer timed") != "timer timed 07")
        {
            // A tick that was under way.
        }
    }
}

/// <summary>One test that kills the sidecar, with an app of its own.</summary>
public sealed class CrashTests(ActorApp app) : IClassFixture<ActorApp>
{
    [Fact]
    public async Task State_and_reminders_outlive_the_sidecar()
    {
        var shelf = app.Shelf("crash");
        await shelf.PutAsync("nut", 4);
        await shelf.RemindAsync("late", [5], TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(-1));
        await app.Sidecar.KillAsync();
        await app.Sidecar.StartAsync(TestContext.Current.CancellationToken);
        Assert.Equal("reminder crash late 05", await app.Diary.NextAsync("reminder crash late"));
        Assert.Equal(4, (await shelf.TotalAsync()).Count);
    }
}
