using System.Text;
using System.Threading.Channels;
using DaprPlatform.Sidecar.StandIns.Log;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.PubSub.Tests;

public sealed class MessageLogTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_was_acknowledged_is_there_after_a_restart_in_order_per_key()
    {
        await using (var log = Open())
            await AppendAsync(log, Enumerable.Range(0, 100).Select(i => ($"k{i % 5}", $"{i}")));
        await using var again = Open();
        var got = await ReadAllAsync(again, "g", 100);
        foreach (var key in got.GroupBy(m => m.Key))
        {
            Assert.Single(key.Select(m => m.Partition).Distinct());
            Assert.Equal(key.Select(m => m.Value).OrderBy(int.Parse), key.Select(m => m.Value));
        }
    }

    [Fact]
    public async Task A_record_cut_by_a_crash_is_cut_off_and_the_others_stay()
    {
        await using (var log = Open())
            await AppendAsync(log, [("k", "1"), ("k", "2"), ("k", "3")]);
        var file = Directory.GetFiles(_folder.Path, "*.log").Single();
        using (var stream = File.OpenWrite(file))
            stream.SetLength(stream.Length - 3);
        await using (var log = Open())
        {
            Assert.Equal(["1", "2"], (await ReadAllAsync(log, "g", 2)).Select(m => m.Value));
            await AppendAsync(log, [("k", "4")]);
        }

        await using var again = Open();
        Assert.Equal(["1", "2", "4"], (await ReadAllAsync(again, "other", 3)).Select(m => m.Value));
    }

    [Fact]
    public async Task Damage_that_no_crash_can_do_is_reported()
    {
        var small = new JournalOptions(SegmentBytes: 200);
        await using (var log = new MessageLog(_folder.Path, TimeProvider.System, small))
        {
            for (var i = 0; i < 50; i++)
                await AppendAsync(log, [("k", new string('x', 50))]);
        }

        var file = Directory.GetFiles(_folder.Path, "*.log").Order().First();
        var bytes = await File.ReadAllBytesAsync(file);
        bytes[^5] ^= 0xff;
        await File.WriteAllBytesAsync(file, bytes);
        Assert.Throws<StoreException>(() => new MessageLog(_folder.Path, TimeProvider.System, small));
    }

    [Fact]
    public async Task Old_segments_are_deleted_and_the_offsets_go_on()
    {
        var small = new JournalOptions(SegmentBytes: 500, RetainedBytes: 2000);
        await using (var log = new MessageLog(_folder.Path, TimeProvider.System, small))
        {
            for (var i = 0; i < 100; i++)
                await AppendAsync(log, [("k", $"{i}")]);
        }

        Assert.True(Directory.GetFiles(_folder.Path, "*.log").Sum(f => new FileInfo(f).Length) < 3000);
        await using var again = new MessageLog(_folder.Path, TimeProvider.System, small);
        var got = await ReadAllAsync(again, "g", 1);
        Assert.Equal(got[0].Offset, long.Parse(got[0].Value, System.Globalization.CultureInfo.InvariantCulture));
        Assert.True(got[0].Offset > 0);
    }

    [Fact]
    public async Task A_group_goes_on_behind_its_marks_and_what_is_not_marked_comes_again()
    {
        await using (var log = Open())
        {
            await AppendAsync(log, [("k", "1"), ("k", "2"), ("k", "3")]);
            await ReadAllAsync(log, "g", 3, mark: m => m.Value != "3");
        }

        await using var again = Open();
        Assert.Equal(["3"], (await ReadAllAsync(again, "g", 1)).Select(m => m.Value));
    }

    [Fact]
    public async Task A_partition_never_has_two_readers_and_all_partitions_have_one()
    {
        await using var log = Open();
        var readers = new int[MessageLog.DefaultPartitions];
        var owned = new Dictionary<string, HashSet<int>> { ["a"] = [], ["b"] = [] };
        var shared = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var alone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var membership = new LogMembership("g", "topic", FromOldest: true);
        var first = await log.JoinAsync(membership, Consumer("a"), default);
        await using var second = await log.JoinAsync(membership, Consumer("b"), default);
        await shared.Task.WaitAsync(Limit);
        await first.DisposeAsync();
        await alone.Task.WaitAsync(Limit);
        lock (owned)
            Assert.Empty(owned["a"]);

        LogConsumer Consumer(string name) => async (reader, revoked) =>
        {
            Assert.Equal(1, Interlocked.Increment(ref readers[reader.Partition]));
            lock (owned)
            {
                owned[name].Add(reader.Partition);
                if (owned["a"].Count > 0 && owned["b"].Count > 0 && owned.Values.Sum(o => o.Count) == MessageLog.DefaultPartitions)
                    shared.TrySetResult();
                if (owned["b"].Count == MessageLog.DefaultPartitions)
                    alone.TrySetResult();
            }

            try
            {
                await Task.Delay(Timeout.Infinite, revoked);
            }
            finally
            {
                lock (owned)
                    owned[name].Remove(reader.Partition);
                Interlocked.Decrement(ref readers[reader.Partition]);
            }
        };
    }

    [Fact]
    public async Task A_group_that_begins_at_the_end_gets_what_comes_after_also_when_its_server_restarts()
    {
        var log = Open();
        await AppendAsync(log, [("k", "before")]);
        var membership = new LogMembership("g", "topic", FromOldest: false);
        var member = await log.JoinAsync(membership, static (_, revoked) => Task.Delay(Timeout.Infinite, revoked), default);
        await AppendAsync(log, [("k", "after")]);

        // The server ends while the group has members: they come back to where they began.
        await log.DisposeAsync();
        await using var again = Open();
        Assert.Equal(["after"], (await ReadAllAsync(again, "g", 1, fromOldest: false)).Select(m => m.Value));
        await member.DisposeAsync();
    }

    [Theory]
    [InlineData("a/b")]
    [InlineData("ö")]
    [InlineData("")]
    [InlineData("..")]
    public async Task A_topic_with_another_name_than_Kafka_allows_is_refused(string topic)
    {
        await using var log = Open();
        Assert.NotNull((await log.AppendAsync([new LogAppend(topic, null, ReadOnlyMemory<byte>.Empty, [])], default))[0]);
    }

    [Fact]
    public async Task An_empty_key_a_tombstone_and_headers_survive_a_restart()
    {
        await using (var log = Open())
            Assert.Null((await log.AppendAsync([new LogAppend("topic", "", null, [KeyValuePair.Create("color", "red")], 2)], default))[0]);
        await using var again = Open();
        var message = Assert.Single(await ReadRawAsync(again, "g", 1));
        Assert.Equal("", message.Key);
        Assert.Null(message.Value);
        Assert.Equal([KeyValuePair.Create("color", "red")], message.Headers);
    }

    private MessageLog Open() => new(_folder.Path, TimeProvider.System);

    private static async Task AppendAsync(MessageLog log, IEnumerable<(string Key, string Value)> messages)
    {
        var errors = await log.AppendAsync([.. messages.Select(m => new LogAppend("topic", m.Key, Encoding.UTF8.GetBytes(m.Value), []))], default);
        Assert.All(errors, Assert.Null);
    }

    private static async Task<List<(string? Key, string Value, int Partition, long Offset)>> ReadAllAsync(MessageLog log, string group, int count, Func<(string? Key, string Value), bool>? mark = null, bool fromOldest = true)
    {
        var got = Channel.CreateUnbounded<(string?, string, int, long)>();
        await using var member = await log.JoinAsync(new LogMembership(group, "topic", fromOldest), async (reader, revoked) =>
        {
            while (true)
            {
                foreach (var message in await reader.ReadAsync(10, revoked))
                {
                    var value = Encoding.UTF8.GetString(message.Value!.Value.Span);
                    if (mark?.Invoke((message.Key, value)) ?? true)
                        reader.Mark(message.Offset);
                    got.Writer.TryWrite((message.Key, value, reader.Partition, message.Offset));
                }
            }
        }, default);
        var all = new List<(string?, string, int, long)>();
        while (all.Count < count)
            all.Add(await got.Reader.ReadAsync().AsTask().WaitAsync(Limit));
        return all;
    }

    private static async Task<List<LogMessage>> ReadRawAsync(MessageLog log, string group, int count)
    {
        var got = Channel.CreateUnbounded<LogMessage>();
        await using var member = await log.JoinAsync(new LogMembership(group, "topic", FromOldest: true), async (reader, revoked) =>
        {
            while (true)
            {
                foreach (var message in await reader.ReadAsync(10, revoked))
                    got.Writer.TryWrite(message);
            }
        }, default);
        var all = new List<LogMessage>();
        while (all.Count < count)
            all.Add(await got.Reader.ReadAsync().AsTask().WaitAsync(Limit));
        return all;
    }
}
