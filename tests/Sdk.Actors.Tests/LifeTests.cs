using System.Net;
using Dapr.Actors;
using Dapr.Actors.Client;
using Dapr.Actors.Runtime;
using Microsoft.Extensions.DependencyInjection;

namespace Sdk.Actors.Tests;

public class LifeTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_actor_lives_from_its_first_call_to_its_deactivation()
    {
        await using var app = await StartAsync();
        var journal = app.Services.GetRequiredService<Journal>();
        var cart = app.Proxies.CreateActorProxy<ICartActor>(new ActorId("c1"), "CartActor");

        await cart.OneAsync();
        await cart.OneAsync();
        await app.DeactivateAsync("CartActor", "c1");
        await app.DeactivateAsync("CartActor", "c1");
        await cart.OneAsync();
        Assert.Equal(
            [
                "activate c1", "before ActorInterfaceMethod OneAsync", "after OneAsync", "before ActorInterfaceMethod OneAsync", "after OneAsync",
                "deactivate", "dispose", "activate c1", "before ActorInterfaceMethod OneAsync", "after OneAsync",
            ],
            journal.Entries);
    }

    [Fact]
    public async Task A_failed_call_is_told_to_the_actor_and_leaves_no_state()
    {
        await using var app = await StartAsync();
        var cart = app.Proxies.CreateActorProxy<ICartExtras>(new ActorId("c1"), "CartActor");

        await Assert.ThrowsAsync<ActorMethodInvocationException>(() => cart.FailAsync("broken"));
        await cart.NothingAsync();
        Assert.Contains("failed FailAsync broken", app.Services.GetRequiredService<Journal>().Entries);
        Assert.Null(app.Sidecar.StateOf("CartActor/c1", "half"));
    }

    [Fact]
    public async Task Calls_that_come_together_activate_an_actor_once()
    {
        var gate = new TaskCompletionSource();
        await using var app = await App.StartAsync(
            options => options.Actors.RegisterActor<SlowToWake>(),
            services => services.AddSingleton(gate).AddSingleton<Journal>());

        var calls = Enumerable.Range(0, 5).Select(_ => app.Proxies.CreateActorProxy<ISleeper>(new ActorId("s"), "SlowToWake").WakeAsync()).ToArray();
        gate.SetResult();
        await Task.WhenAll(calls);
        Assert.Equal(["awake"], app.Services.GetRequiredService<Journal>().Entries);
    }

    [Fact]
    public async Task An_activation_that_failed_is_tried_again()
    {
        var gate = new TaskCompletionSource();
        var journal = new Journal();
        var failing = new TaskCompletionSource();
        failing.SetException(new InvalidOperationException("not yet"));
        var gates = new Queue<TaskCompletionSource>([failing, gate]);
        gate.SetResult();
        await using var app = await App.StartAsync(
            options => options.Actors.RegisterActor<SlowToWake>(),
            services => services.AddTransient(_ => gates.Dequeue()).AddSingleton(journal));
        var sleeper = app.Proxies.CreateActorProxy<ISleeper>(new ActorId("s"), "SlowToWake");

        var failure = await Assert.ThrowsAsync<ActorMethodInvocationException>(sleeper.WakeAsync);
        Assert.Equal("not yet", failure.InnerException!.Message);
        await sleeper.WakeAsync();
        Assert.Equal(["awake"], journal.Entries);
    }

    [Fact]
    public async Task State_set_while_waking_is_saved()
    {
        var gate = new TaskCompletionSource();
        gate.SetResult();
        await using var app = await App.StartAsync(
            options => options.Actors.RegisterActor<SlowToWake>(),
            services => services.AddSingleton(gate).AddSingleton<Journal>());
        await app.Proxies.CreateActorProxy<ISleeper>(new ActorId("s"), "SlowToWake").WakeAsync();

        Assert.Equal("true", app.Sidecar.StateOf("SlowToWake/s", "awake"));
    }

    [Fact]
    public async Task A_chain_of_calls_can_come_back_and_sees_what_it_saved()
    {
        await using var app = await App.StartAsync(options =>
        {
            options.ReentrancyConfig.Enabled = true;
            options.Actors.RegisterActor<CounterActor>();
        });
        app.Sidecar.Reentrant = true;

        Assert.Equal("0>1>2", await app.Proxies.CreateActorProxy<ICounter>(new ActorId("a"), "CounterActor").CountAsync("a", 2));
        var ids = app.Sidecar.SentTo("/method/").Select(request => request.Headers.GetValueOrDefault("Dapr-Reentrancy-Id")).ToArray();
        Assert.Null(ids[0]);
        Assert.NotNull(ids[1]);
        Assert.Equal(ids[1], ids[2]);
        Assert.All(app.Sidecar.SentTo("/state"), request => Assert.Equal(ids[1], request.Headers["Dapr-Reentrancy-Id"]));
    }

    [Fact]
    public async Task The_chain_ends_with_its_call()
    {
        await using var app = await StartAsync();
        app.Sidecar.Reentrant = true;
        var cart = app.Proxies.CreateActorProxy<ICartActor>(new ActorId("c1"), "CartActor");
        await cart.OneAsync();
        await cart.OneAsync();

        Assert.All(app.Sidecar.SentTo("/method/"), request => Assert.DoesNotContain("Dapr-Reentrancy-Id", request.Headers.Keys));
    }

    [Fact]
    public async Task Timers_call_the_method_they_name()
    {
        await using var app = await StartAsync();
        var answer = await app.PutAsync("/actors/CartActor/c1/method/timer/t", """{"callback":"OnTickAsync","data":"AQI=","dueTime":"0h0m1s0ms","period":""}""");
        Assert.Equal((HttpStatusCode.OK, "false"), (answer.StatusCode, await answer.Content.ReadAsStringAsync(Stop)));
        await app.PutAsync("/actors/CartActor/c1/method/timer/t", """{"callback":"OnBareTickAsync"}""");

        Assert.Equal(
            ["before TimerMethod OnTickAsync", "tick 0102", "after OnTickAsync", "before TimerMethod OnBareTickAsync", "bare tick", "after OnBareTickAsync"],
            app.Services.GetRequiredService<Journal>().Entries[1..]);
    }

    [Fact]
    public async Task Reminders_reach_the_actor_with_what_the_sidecar_tells()
    {
        await using var app = await StartAsync();
        var answer = await app.PutAsync("/actors/CartActor/c1/method/remind/pay", """{"data":"AQI=","dueTime":"","period":""}""");
        Assert.Equal((HttpStatusCode.OK, ""), (answer.StatusCode, await answer.Content.ReadAsStringAsync(Stop)));
        await app.PutAsync("/actors/CartActor/c1/method/remind/pay", """{"dueTime":"1s","period":"0h0m5s0ms"}""");

        var told = app.Services.GetRequiredService<Journal>().Entries.Where(entry => entry.StartsWith("reminder", StringComparison.Ordinal));
        Assert.Equal(["reminder pay 0102 -1 -1", "reminder pay  1000 5000"], told);
    }

    [Fact]
    public async Task A_reminder_of_an_actor_that_takes_none_is_ignored()
    {
        await using var app = await App.StartAsync(options => options.Actors.RegisterActor<CounterActor>());

        Assert.Equal(HttpStatusCode.OK, (await app.PutAsync("/actors/CounterActor/c/method/remind/x", "{}")).StatusCode);
    }

    private static Task<App> StartAsync() => App.StartAsync(options => options.Actors.RegisterActor<CartActor>(), services => services.AddSingleton<Journal>());

    public interface ISleeper : IActor
    {
        Task WakeAsync();
    }

    private sealed class SlowToWake(ActorHost host, TaskCompletionSource gate, Journal journal) : Actor(host), ISleeper
    {
        public Task WakeAsync() => Task.CompletedTask;

        protected override async Task OnActivateAsync()
        {
            await gate.Task;
            journal.Write("awake");
            await StateManager.SetStateAsync("awake", true);
        }
    }

    public interface ICounter : IActor
    {
        Task<string> CountAsync(string id, int deeper);
    }

    private sealed class CounterActor(ActorHost host) : Actor(host), ICounter
    {
        public async Task<string> CountAsync(string id, int deeper)
        {
            var count = await StateManager.GetOrAddStateAsync("count", 0);
            await StateManager.SetStateAsync("count", count + 1);
            await SaveStateAsync();
            var here = count.ToString();
            return deeper == 0 ? here : here + ">" + await ProxyFactory.CreateActorProxy<ICounter>(new ActorId(id), "CounterActor").CountAsync(id, deeper - 1);
        }
    }
}
