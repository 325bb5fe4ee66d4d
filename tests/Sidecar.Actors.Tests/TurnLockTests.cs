namespace DaprPlatform.Sidecar.Actors.Tests;

public sealed class TurnLockTests
{
    [Fact]
    public async Task Turns_go_round_in_the_order_of_asking()
    {
        var turns = new TurnLock(0);
        Assert.Equal(TurnEntry.Entered, await Enter(turns, null));
        var second = Enter(turns, null);
        var third = Enter(turns, null);
        Assert.False(second.IsCompleted || third.IsCompleted);
        turns.Exit();
        Assert.Equal(TurnEntry.Entered, await second);
        Assert.False(third.IsCompleted);
        turns.Exit();
        Assert.Equal(TurnEntry.Entered, await third);
    }

    [Fact]
    public async Task A_caller_who_leaves_while_it_waits_is_never_let_in()
    {
        var turns = new TurnLock(0);
        await Enter(turns, null);
        using var leaving = new CancellationTokenSource();
        var gone = turns.EnterAsync(null, leaving.Token).AsTask();
        var next = Enter(turns, null);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        turns.Exit();
        Assert.Equal(TurnEntry.Entered, await next);
    }

    [Fact]
    public async Task A_chain_enters_again_up_to_its_depth_and_the_actor_stays_usable_after_it()
    {
        var turns = new TurnLock(3);
        for (var depth = 0; depth < 3; depth++)
            Assert.Equal(TurnEntry.Entered, await Enter(turns, "chain"));
        Assert.Equal(TurnEntry.TooDeep, await Enter(turns, "chain"));
        for (var depth = 0; depth < 3; depth++)
            turns.Exit();
        Assert.Equal(TurnEntry.Entered, await Enter(turns, "another"));
    }

    [Fact]
    public async Task A_stranger_waits_until_the_whole_chain_is_out()
    {
        var turns = new TurnLock(32);
        await Enter(turns, "chain");
        await Enter(turns, "chain");
        var stranger = Enter(turns, "stranger");
        turns.Exit();
        Assert.False(stranger.IsCompleted);
        turns.Exit();
        Assert.Equal(TurnEntry.Entered, await stranger);
    }

    [Fact]
    public async Task Calls_that_wait_with_one_id_enter_together()
    {
        var turns = new TurnLock(32);
        await Enter(turns, "first");
        var (one, stranger, two) = (Enter(turns, "chain"), Enter(turns, "stranger"), Enter(turns, "chain"));
        turns.Exit();
        await Task.WhenAll(one, two);
        Assert.False(stranger.IsCompleted);
    }

    [Fact]
    public async Task Without_reentrancy_an_id_does_not_count()
    {
        var turns = new TurnLock(0);
        await Enter(turns, "chain");
        Assert.False(Enter(turns, "chain").IsCompleted);
    }

    [Fact]
    public async Task Closing_sends_those_away_who_wait_and_lets_the_chain_inside_go_on()
    {
        var turns = new TurnLock(32);
        await Enter(turns, "chain");
        var stranger = Enter(turns, "stranger");
        var closed = turns.CloseAsync();
        Assert.Equal(TurnEntry.Closing, await stranger);
        Assert.Equal(TurnEntry.Closing, await Enter(turns, "late"));
        Assert.Equal(TurnEntry.Entered, await Enter(turns, "chain"));
        turns.Exit();
        Assert.False(closed.IsCompleted);
        turns.Exit();
        await closed;
    }

    private static Task<TurnEntry> Enter(TurnLock turns, string? id) => turns.EnterAsync(id, Calls.Cancelled).AsTask();
}
