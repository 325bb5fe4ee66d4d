using DaprPlatform.Contracts;
using DaprPlatform.Orders.Domain;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using OrderMessage = DaprPlatform.Contracts.Orders.Order;

namespace DaprPlatform.Services.Tests;

public sealed class OrderWaitersTests : IDisposable
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);
    private readonly ManualTime _clock = new();
    private readonly ApplicationLifetime _lifetime = new(NullLogger<ApplicationLifetime>.Instance);
    private readonly OrderWaiters _waiters;
    private readonly OrderId _order = OrderId.New();

    public OrderWaitersTests() => _waiters = new OrderWaiters(_clock, _lifetime);

    public void Dispose() => _lifetime.StopApplication();

    [Fact]
    public async Task All_who_wait_for_an_order_are_told_what_became_of_it_and_none_is_kept()
    {
        Task<(bool IsOver, OrderMessage? Outcome)>[] waiting = [Wait(), Wait()];
        var outcome = new OrderMessage { Status = "CONFIRMED" };
        _waiters.Decided(_order, outcome);
        Assert.All(await Task.WhenAll(waiting), told => Assert.Equal((true, outcome), told));
        Assert.Equal(0, _waiters.Count);
    }

    [Fact]
    public async Task Who_waits_in_vain_may_look_again()
    {
        var waiting = Wait();
        _clock.Advance(Long);
        Assert.Equal((false, null), await waiting);
        Assert.Equal(0, _waiters.Count);
    }

    [Fact]
    public async Task A_decision_made_before_anybody_listened_is_found_by_the_first_look() =>
        Assert.Equal((true, null), await Wait(isDecided: true));

    [Fact]
    public async Task A_process_that_stops_keeps_nobody_waiting()
    {
        var waiting = Wait();
        _lifetime.StopApplication();
        Assert.Equal((true, null), await waiting);
        Assert.Equal((true, null), await Wait());
        Assert.Equal(0, _waiters.Count);
    }

    private Task<(bool IsOver, OrderMessage? Outcome)> Wait(bool isDecided = false) =>
        _waiters.WaitAsync(_order, Long, (_, _) => Task.FromResult(isDecided), TestContext.Current.CancellationToken);
}
