using System.Globalization;
using System.Text;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.OpsConsole;
using DaprPlatform.Cli.OpsConsole.Logs;

namespace DaprPlatform.OpsConsole.Tests;

/// <summary>Logs of any length are read from their ends; the figures are bytes read, not time.</summary>
public sealed class LogTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly LogFilter All = new([], null, LogLevelName.Debug, null, null, null);
    private readonly string _folder = Directory.CreateTempSubdirectory("console-logs-").FullName;
    private readonly DataFolder _data;

    public LogTests()
    {
        _data = new DataFolder(_folder);
        Directory.CreateDirectory(_data.Logs);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_end_of_a_million_lines_costs_some_blocks()
    {
        var length = WriteMillion();
        var book = new LogBook(_data);

        var page = book.Read(All, null, 100);
        Assert.Equal(100, page.Items.Count);
        Assert.Equal("line 999999", page.Items[^1].Text);
        Assert.InRange(book.BytesRead, 1, 256 << 10);

        var before = book.BytesRead;
        var older = book.Read(All, page.Next, 100);
        Assert.Equal("line 999899", older.Items[^1].Text);
        Assert.InRange(book.BytesRead - before, 1, 256 << 10);

        before = book.BytesRead;
        var middle = book.Read(All, Start.AddSeconds(500).ToString("O", CultureInfo.InvariantCulture), 10);
        Assert.Equal("line 499999", middle.Items[^1].Text);
        Assert.InRange(book.BytesRead - before, 1, 1 << 20);
        Assert.True(length > 100_000_000, $"{length}");
    }

    [Fact]
    public void A_search_reads_what_it_knows_not_to_have_only_once_and_never_more_than_its_budget()
    {
        WriteMillion();
        var book = new LogBook(_data);
        var errors = All with { Level = LogLevelName.Error };
        var found = Search(errors);
        Assert.Equal(["line 0", "line 333333", "line 666666"], found.Lines);
        Assert.True(found.Pages > 1);

        var before = book.BytesRead;
        Assert.Equal(found.Lines, Search(errors).Lines);
        Assert.InRange(book.BytesRead - before, 1, 2 << 20);

        before = book.BytesRead;
        var trace = Search(All with { Trace = TraceOf(123_456) });
        Assert.Equal(["line 123456"], trace.Lines);
        // A Bloom filter errs, but not often.
        Assert.InRange(book.BytesRead - before, 1, 20 << 20);

        (List<string> Lines, int Pages) Search(LogFilter filter)
        {
            var (lines, pages) = (new List<string>(), 0);
            string? next = null;
            do
            {
                var start = book.BytesRead;
                var page = book.Read(filter, next, 100);
                Assert.InRange(book.BytesRead - start, 0, LogBook.Budget + (1 << 20));
                lines.InsertRange(0, page.Items.Select(i => i.Text));
                next = page.Next;
                pages++;
            }
            while (next is not null);
            return (lines, pages);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public void Pages_of_any_size_hold_each_entry_of_each_file_once_with_the_lines_that_belong_to_it(int limit)
    {
        const int entries = 3000;
        foreach (var app in (string[])["alpha", "beta"])
        {
            using var file = new StreamWriter(_data.LogOf(app));
            for (var i = 0; i < entries; i++)
            {
                file.Write(Json(app == "alpha" ? i * 2 : i * 2 + 1, i % 100 == 0 ? "Error" : "Information", $"{app} {i}"));
                if (i % 100 == 0)
                    file.Write($"System.InvalidOperationException: {app} {i}\r\n   at Some.Method()\r\n");
            }
        }

        var book = new LogBook(_data);
        var all = new List<LogLine>();
        string? next = null;
        do
        {
            var page = book.Read(All, next, limit);
            all.InsertRange(0, page.Items);
            next = page.Next;
        }
        while (next is not null);
        Assert.Equal(entries * 2, all.Count);
        Assert.Equal(entries * 2, all.Select(l => l.Id).Distinct().Count());
        Assert.Equal(all.OrderBy(l => l.At).Select(l => l.Id), all.Select(l => l.Id));
        Assert.All(all.Where(l => l.Level == LogLevelName.Error), l => Assert.Equal($"{l.App} {l.Text.Split('\n')[0].Split(' ')[1]}\nSystem.InvalidOperationException: {l.Text.Split('\n')[0]}\n   at Some.Method()", l.Text));
        Assert.Equal(60, all.Count(l => l.Level == LogLevelName.Error));
        Assert.Single(book.Read(All with { Text = "OPERATIONEXCEPTION: ALPHA 300" }, null, 1000).Items);
    }

    [Fact]
    public void Each_kind_of_line_is_understood()
    {
        File.WriteAllText(_data.LogOf("orders"), """{"Timestamp":"2026-01-01T00:00:00.000Z","LogLevel":"Warning","Category":"Orders","Message":"late","State":{"orderId":"42","password":"hunter2","{OriginalFormat}":"late"},"Scopes":[{"SpanId":"1","TraceId":"4bf92f3577b34da6a3ce929d0e0e4736"}]}""" + "\n");
        File.WriteAllText(_data.LogOf("orders.daprd"), "time=\"2026-01-01T00:00:01.5000000Z\" level=error msg=\"it \\\"broke\\\"\" app_id=orders instance=vm scope=dapr.runtime type=log ver=1.18.3\n");
        File.WriteAllText(_data.LogOf("platform"), "2026-01-01 00:00:02.000Z ! orders was killed (SIGKILL)\n");
        File.WriteAllText(_data.LogOf("plain"), "no time at all\nnor here\n");
        var lines = new LogBook(_data).Read(All, null, 100).Items.ToDictionary(l => (l.App, l.Source));

        var app = lines[("orders", LogSource.App)];
        Assert.Equal((LogLevelName.Warn, "late", "4bf92f3577b34da6a3ce929d0e0e4736"), (app.Level, app.Text, app.TraceId));
        Assert.Equal("42", app.Fields!["orderId"]);
        Assert.DoesNotContain("password", app.Fields.Keys);
        var sidecar = lines[("orders", LogSource.Sidecar)];
        Assert.Equal((LogLevelName.Error, "it \"broke\"", Start.AddSeconds(1.5)), (sidecar.Level, sidecar.Text, sidecar.At));
        var platform = lines[("platform", LogSource.Platform)];
        Assert.Equal((LogLevelName.Error, "orders was killed (SIGKILL)"), (platform.Level, platform.Text));
        Assert.Equal("no time at all\nnor here", lines[("plain", LogSource.App)].Text);
    }

    [Fact]
    public void A_page_goes_on_where_it_was_when_the_file_was_moved_aside()
    {
        File.WriteAllText(_data.LogOf("alpha"), string.Concat(Enumerable.Range(0, 20).Select(i => Json(i, "Information", $"old {i}"))));
        var book = new LogBook(_data);
        var first = book.Read(All, null, 10);
        File.Move(_data.LogOf("alpha"), _data.LogOf("alpha") + ".1");
        File.WriteAllText(_data.LogOf("alpha"), string.Concat(Enumerable.Range(100, 5).Select(i => Json(i, "Information", $"new {i}"))));
        var second = book.Read(All, first.Next, 100);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"old {i}"), second.Items.Select(i => i.Text));
        Assert.Null(second.Next);
        Assert.Equal(25, book.Read(All, null, 100).Items.Count);
    }

    private static string TraceOf(int i) => (0x9E3779B97F4A7C15UL * (ulong)(i + 1)).ToString("x16", CultureInfo.InvariantCulture).PadLeft(32, 'a');

    private static string Json(int milliseconds, string level, string message, string? trace = null) => string.Create(CultureInfo.InvariantCulture,
        $$"""{"Timestamp":"{{Start.AddMilliseconds(milliseconds):yyyy-MM-ddTHH:mm:ss.fffZ}}","EventId":0,"LogLevel":"{{level}}","Category":"Some.Category","Message":"{{message}}","Scopes":[{"TraceId":"{{trace ?? ""}}"}]}""") + "\n";

    private long WriteMillion()
    {
        using var file = new FileStream(_data.LogOf("alpha"), FileMode.Create, FileAccess.Write, FileShare.Read, 1 << 20);
        for (var i = 0; i < 1_000_000; i++)
            file.Write(Encoding.UTF8.GetBytes(Json(i, i % 333_333 == 0 && i < 999_999 ? "Error" : "Information", $"line {i}", TraceOf(i))));
        return file.Length;
    }
}
