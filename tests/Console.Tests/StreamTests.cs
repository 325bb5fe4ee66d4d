using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.OpsConsole;

namespace DaprPlatform.OpsConsole.Tests;

/// <summary>What open pages are told, and what happens to those that lose their connection or do not read.</summary>
public sealed class StreamTests
{
    [Fact]
    public async Task A_page_that_lost_its_connection_is_told_what_it_missed_and_nothing_twice()
    {
        await using var world = await ConsoleWorld.StartAsync();
        string last;
        await using (var page = await ServerEvents.OpenAsync(world, "/api/v1/stream?topics=events"))
        {
            world.System.Stack.Events.Add(EventKind.Progress, "one");
            var seen = await page.NextAsync();
            Assert.Contains("\"one\"", seen.Data, StringComparison.Ordinal);
            last = seen.Id;
        }

        world.System.Stack.Events.Add(EventKind.Progress, "two");
        world.System.Stack.Events.Add(EventKind.Progress, "three");
        await using (var page = await ServerEvents.OpenAsync(world, "/api/v1/stream?topics=events", last))
        {
            Assert.Contains("\"two\"", (await page.NextAsync()).Data, StringComparison.Ordinal);
            Assert.Contains("\"three\"", (await page.NextAsync()).Data, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("of-another-start-7")]
    [InlineData("garbage")]
    public async Task A_page_whose_past_is_not_kept_is_told_to_fetch_anew(string last)
    {
        await using var world = await ConsoleWorld.StartAsync();
        await using var page = await ServerEvents.OpenAsync(world, "/api/v1/stream?topics=events", last);
        Assert.Equal("reset", (await page.NextAsync()).Name);
        world.System.Stack.Events.Add(EventKind.Progress, "after");
        Assert.Contains("after", (await page.NextAsync()).Data, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_that_falls_behind_gets_a_reset_and_holds_a_bounded_number_of_messages()
    {
        var hub = new ConsoleHub(TimeProvider.System);
        await using (hub)
        {
            using var slow = hub.Subscribe(new HashSet<string> { StreamTopics.Events }, StreamFilter.None, null);
            for (var i = 0; i < 10_000; i++)
                hub.Publish(StreamTopics.Events, new { i });
            var (reset, messages) = slow.Take();
            Assert.True(reset);
            Assert.InRange(messages.Count, 1, 2100);
            using var late = hub.Subscribe(new HashSet<string> { StreamTopics.Events }, StreamFilter.None, hub.IdOf(1));
            Assert.True(late.Take().Reset);
            using var soon = hub.Subscribe(new HashSet<string> { StreamTopics.Events }, StreamFilter.None, hub.IdOf(9_990));
            (reset, messages) = soon.Take();
            Assert.False(reset);
            Assert.Equal(10, messages.Count);
        }
    }

    [Fact]
    public async Task What_waits_for_a_reader_is_bounded_in_bytes_too()
    {
        await using var hub = new ConsoleHub(TimeProvider.System);
        using var slow = hub.Subscribe(new HashSet<string> { StreamTopics.Logs }, StreamFilter.None, null);
        for (var i = 0; i < 100; i++)
            hub.Publish(StreamTopics.Logs, new { text = new string('x', 1 << 20) });
        var (reset, messages) = slow.Take();
        Assert.True(reset);
        Assert.InRange(messages.Sum(m => (long)m.Size), 1, 8 << 20);
        // One that is larger than the bound is told all the same.
        hub.Publish(StreamTopics.Logs, new { text = new string('x', 9 << 20) });
        (reset, messages) = slow.Take();
        Assert.False(reset);
        Assert.Single(messages);
    }

    [Fact]
    public async Task Only_the_newest_of_how_something_stands_waits_for_a_reader_and_a_new_one_gets_it()
    {
        await using var hub = new ConsoleHub(TimeProvider.System);
        using var reader = hub.Subscribe(new HashSet<string> { StreamTopics.DeadLetters }, StreamFilter.None, null);
        for (var i = 0; i < 1000; i++)
            hub.PublishLatest(StreamTopics.DeadLetters, new { count = i });
        Assert.Equal("{\"count\":999}", global::System.Text.Encoding.UTF8.GetString(Assert.Single(reader.Take().Messages).BytesFor(StreamFilter.None)!));
        using var late = hub.Subscribe(new HashSet<string> { StreamTopics.DeadLetters }, StreamFilter.None, null);
        Assert.Single(late.Take().Messages);
    }

    [Fact]
    public async Task A_producer_runs_only_while_somebody_reads_and_half_a_minute_longer()
    {
        var time = new ManualTime();
        await using var hub = new ConsoleHub(time);
        var (started, ended) = (new SemaphoreSlim(0), new SemaphoreSlim(0));
        using var producer = hub.WhileListened(StreamTopics.Dapr, async cancel =>
        {
            started.Release();
            try
            {
                await Task.Delay(Timeout.Infinite, cancel);
            }
            finally
            {
                ended.Release();
            }
        });
        Assert.False(hub.IsListened(StreamTopics.Dapr));
        hub.Subscribe(new HashSet<string> { StreamTopics.Dapr }, StreamFilter.None, null).Dispose();
        Assert.True(await started.WaitAsync(TimeSpan.FromMinutes(1), ConsoleWorld.Cancel));
        time.Advance(TimeSpan.FromSeconds(29));
        using (hub.Subscribe(new HashSet<string> { StreamTopics.Dapr }, StreamFilter.None, null))
            time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(0, started.CurrentCount);
        Assert.Equal(0, ended.CurrentCount);
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.True(await ended.WaitAsync(TimeSpan.FromMinutes(1), ConsoleWorld.Cancel));
        using var again = hub.Subscribe(new HashSet<string> { StreamTopics.Dapr }, StreamFilter.None, null);
        Assert.True(await started.WaitAsync(TimeSpan.FromMinutes(1), ConsoleWorld.Cancel));
    }

    [Fact]
    public async Task Lines_are_told_as_they_are_written_each_page_its_own()
    {
        await using var world = await ConsoleWorld.StartAsync(data => File.WriteAllText(data.LogOf("alpha"), "2026-01-01T00:00:00.000Z before\n"));
        await using var errors = await ServerEvents.OpenAsync(world, "/api/v1/stream?topics=logs&app=alpha&level=error");
        await using var all = await ServerEvents.OpenAsync(world, "/api/v1/stream?topics=logs");
        await File.AppendAllTextAsync(world.Data.LogOf("alpha"), """{"Timestamp":"2026-01-01T00:00:01.000Z","LogLevel":"Information","Message":"first"}""" + "\n", ConsoleWorld.Cancel);
        Assert.Contains("first", (await all.NextAsync()).Data, StringComparison.Ordinal);
        await File.AppendAllTextAsync(world.Data.LogOf("alpha"), """{"Timestamp":"2026-01-01T00:00:02.000Z","LogLevel":"Error","Message":"broken"}""" + "\n   at Some.Method()\n", ConsoleWorld.Cancel);
        var told = await errors.NextAsync();
        Assert.Equal("logs", told.Name);
        Assert.Contains("broken\\n   at Some.Method()", told.Data, StringComparison.Ordinal);
        Assert.DoesNotContain("first", told.Data, StringComparison.Ordinal);
    }
}

internal sealed record ServerEvent(string Name, string Id, string Data);

/// <summary>A reader of server-sent events.</summary>
internal sealed class ServerEvents : IAsyncDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _reader;

    private ServerEvents(HttpResponseMessage response, StreamReader reader) => (_response, _reader) = (response, reader);

    public static async Task<ServerEvents> OpenAsync(ConsoleWorld world, string path, string? last = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (last is not null)
            request.Headers.Add("Last-Event-ID", last);
        var response = await world.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ConsoleWorld.Cancel);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        var reader = new StreamReader(await response.Content.ReadAsStreamAsync(ConsoleWorld.Cancel));
        Assert.StartsWith("retry:", await reader.ReadLineAsync(ConsoleWorld.Cancel), StringComparison.Ordinal);
        return new ServerEvents(response, reader);
    }

    public async Task<ServerEvent> NextAsync()
    {
        var (name, id, data) = ("", "", "");
        while (await _reader.ReadLineAsync(ConsoleWorld.Cancel).AsTask().WaitAsync(TimeSpan.FromMinutes(2), ConsoleWorld.Cancel) is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal))
                name = line[7..];
            else if (line.StartsWith("id: ", StringComparison.Ordinal))
                id = line[4..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                data = line[6..];
            else if (line.Length == 0 && name.Length > 0)
                return new ServerEvent(name, id, data);
        }

        throw new InvalidOperationException("The stream has ended.");
    }

    public ValueTask DisposeAsync()
    {
        _reader.Dispose();
        _response.Dispose();
        return ValueTask.CompletedTask;
    }
}
