using DaprPlatform.Sidecar.Actors.Placement;

namespace DaprPlatform.Sidecar.Actors.Tests;

public sealed class PlacementTests
{
    private const string Type = "Cart";
    private static readonly string[] Ids = [.. Enumerable.Range(0, 1000).Select(i => $"id{i}")];

    [Fact]
    public void Every_id_has_one_host_and_every_host_its_share()
    {
        var table = Table("a", "b", "c");
        var shares = Ids.CountBy(id => table.Find(Type, id)!.Id).ToDictionary();
        Assert.Equal(3, shares.Count);
        Assert.All(shares.Values, share => Assert.InRange(share, 200, 480));
        Assert.Null(table.Find("Unknown", "1"));
    }

    [Fact]
    public void A_host_that_comes_or_goes_moves_no_more_actors_than_it_has_to()
    {
        var (two, three) = (Table("a", "b"), Table("a", "b", "c"));
        foreach (var id in Ids)
        {
            var (before, after) = (two.Find(Type, id)!.Id, three.Find(Type, id)!.Id);
            Assert.True(after == before || after == "c");
        }
    }

    [Fact]
    public async Task A_new_table_is_in_force_only_when_everybody_has_prepared_for_it()
    {
        await using var placement = new PlacementServer(TimeProvider.System);
        var (a, b) = (new Member("a"), new Member("b"));
        await using var first = await placement.JoinAsync("ns", a.Host, a, Calls.Cancelled);
        await first.ReportAsync([Type], Calls.Cancelled);
        Assert.Equal("a", a.Table.Find(Type, "1")!.Id);

        await using var second = await placement.JoinAsync("ns", b.Host, b, Calls.Cancelled);
        Assert.Equal("a", b.Table.Find(Type, "1")!.Id);
        var draining = a.Hold();
        var reported = second.ReportAsync([Type], Calls.Cancelled);
        await a.Preparing.Task.WaitAsync(Calls.Cancelled);
        Assert.Equal("a", b.Table.Find(Type, "1")!.Id);
        Assert.False(reported.IsCompleted);
        draining.SetResult();
        await reported;
        Assert.All(Ids, id => Assert.Equal(a.Table.Find(Type, id)!.Id, b.Table.Find(Type, id)!.Id));
        Assert.Equal(2, Ids.Select(id => a.Table.Find(Type, id)!.Id).Distinct().Count());
    }

    [Fact]
    public async Task A_member_that_leaves_gives_its_actors_to_the_others()
    {
        await using var placement = new PlacementServer(TimeProvider.System);
        var (a, b) = (new Member("a"), new Member("b"));
        await using var first = await placement.JoinAsync("ns", a.Host, a, Calls.Cancelled);
        var second = await placement.JoinAsync("ns", b.Host, b, Calls.Cancelled);
        await first.ReportAsync([Type], Calls.Cancelled);
        await second.ReportAsync([Type], Calls.Cancelled);
        var next = a.NextCommit();
        await second.DisposeAsync();
        await next;
        Assert.All(Ids, id => Assert.Equal("a", a.Table.Find(Type, id)!.Id));
    }

    [Fact]
    public async Task A_member_that_does_not_answer_keeps_the_others_waiting_for_its_time_only()
    {
        var time = new ManualTime();
        await using var placement = new PlacementServer(time);
        var (a, b) = (new Member("a"), new Member("b"));
        await using var first = await placement.JoinAsync("ns", a.Host, a, Calls.Cancelled);
        await using var second = await placement.JoinAsync("ns", b.Host, b, Calls.Cancelled);
        a.Hold();
        var reported = second.ReportAsync([Type], Calls.Cancelled);
        await a.Preparing.Task.WaitAsync(Calls.Cancelled);
        while (!reported.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(31));
            await Task.Yield();
        }

        await reported;
        Assert.Equal("b", b.Table.Find(Type, "1")!.Id);
    }

    [Fact]
    public async Task Namespaces_have_nothing_to_do_with_each_other()
    {
        await using var placement = new PlacementServer(TimeProvider.System);
        var (a, b) = (new Member("a"), new Member("b"));
        await using var first = await placement.JoinAsync("one", a.Host, a, Calls.Cancelled);
        await first.ReportAsync([Type], Calls.Cancelled);
        await using var second = await placement.JoinAsync("two", b.Host, b, Calls.Cancelled);
        Assert.Null(b.Table.Find(Type, "1"));
    }

    private static PlacementTable Table(params string[] hosts) => new(1, [.. hosts.Select(h => new ActorHost(h, "app", "http://x", [Type]))]);

    private sealed class Member(string id) : IPlacementListener
    {
        private Task _prepared = Task.CompletedTask;
        private TaskCompletionSource _committed = new();

        public ActorHost Host { get; } = new(id, "app", "http://x", []);

        public PlacementTable Table { get; private set; } = PlacementTable.Empty;

        public TaskCompletionSource Preparing { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Hold()
        {
            var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _prepared = held.Task;
            return held;
        }

        public Task NextCommit() => (_committed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task.WaitAsync(Calls.Cancelled);

        public Task PrepareAsync(PlacementTable next)
        {
            if (!_prepared.IsCompleted)
                Preparing.TrySetResult();
            return _prepared;
        }

        public void Commit(PlacementTable table)
        {
            Table = table;
            _committed.TrySetResult();
        }
    }
}
