using System.Text;
using DaprPlatform.Sidecar.StandIns.Log;

namespace DaprPlatform.Sidecar.PubSub.Tests;

public sealed class StreamLogTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Members_of_a_group_share_and_a_new_group_begins_at_the_oldest()
    {
        await using var streams = Open();
        await AddAsync(streams, "1", "2", "3");
        await using var a = await streams.JoinAsync("s", "g", default);
        await using var b = await streams.JoinAsync("s", "g", default);
        Assert.Equal(["1", "2"], await TakeAsync(a, 2));
        Assert.Equal(["3"], await TakeAsync(b, 2));
        await using var other = await streams.JoinAsync("s", "other", default);
        Assert.Equal(["1", "2", "3"], await TakeAsync(other, 9));
    }

    [Fact]
    public async Task What_a_member_had_taken_goes_back_when_it_leaves()
    {
        await using var streams = Open();
        await AddAsync(streams, "1", "2");
        var gone = await streams.JoinAsync("s", "g", default);
        var taken = await gone.TakeAsync(2, default);
        gone.Acknowledge(taken[0].Offset);
        await using var next = await streams.JoinAsync("s", "g", default);
        var waiting = TakeAsync(next, 9);
        await gone.DisposeAsync();
        Assert.Equal(["2"], await waiting);
    }

    [Fact]
    public async Task What_was_acknowledged_does_not_come_again_after_a_restart_and_the_rest_does()
    {
        await using (var streams = Open())
        {
            await AddAsync(streams, "1", "2", "3");
            await using var member = await streams.JoinAsync("s", "g", default);
            var taken = await member.TakeAsync(3, default);
            member.Acknowledge(taken[1].Offset);
        }

        await using var again = Open();
        await using var later = await again.JoinAsync("s", "g", default);
        Assert.Equal(["1", "3"], await TakeAsync(later, 9));
    }

    [Fact]
    public async Task An_entry_that_takes_too_long_can_be_taken_over_until_it_is_acknowledged()
    {
        await using var streams = Open();
        await AddAsync(streams, "1");
        await using var slow = await streams.JoinAsync("s", "g", default);
        await using var other = await streams.JoinAsync("s", "g", default);
        var entry = Assert.Single(await slow.TakeAsync(1, default));
        Assert.Empty(await other.ReclaimAsync(TimeSpan.FromHours(1), 9, default));
        Assert.Single(await other.ReclaimAsync(TimeSpan.Zero, 9, default));
        slow.Acknowledge(entry.Offset);
        Assert.Empty(await other.ReclaimAsync(TimeSpan.Zero, 9, default));
    }

    [Fact]
    public async Task A_stream_is_cut_down_to_what_is_asked()
    {
        await using var streams = Open();
        await streams.AddAsync([.. Enumerable.Range(0, 10).Select(i => new StreamAdd("s", Encoding.UTF8.GetBytes($"{i}"), [], Keep: 3))], default);
        await using var member = await streams.JoinAsync("s", "g", default);
        Assert.Equal(["7", "8", "9"], await TakeAsync(member, 99));
    }

    private StreamLog Open() => new(_folder.Path, TimeProvider.System);

    private static async Task AddAsync(StreamLog streams, params string[] values) =>
        await streams.AddAsync([.. values.Select(v => new StreamAdd("s", Encoding.UTF8.GetBytes(v), []))], default);

    private static async Task<string[]> TakeAsync(IStreamMember member, int count) =>
        [.. (await member.TakeAsync(count, default).AsTask().WaitAsync(TimeSpan.FromSeconds(30))).Select(e => Encoding.UTF8.GetString(e.Value!.Value.Span))];
}
