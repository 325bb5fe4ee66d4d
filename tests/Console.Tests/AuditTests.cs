using DaprPlatform.Cli.OpsConsole;

namespace DaprPlatform.OpsConsole.Tests;

/// <summary>What must be known of every change afterwards.</summary>
public sealed class AuditTests : IDisposable
{
    private static readonly ConsoleUser Ada = new("ada", ConsoleRole.Operator);
    private readonly string _folder = Directory.CreateTempSubdirectory("console-audit-").FullName;

    private string Log => Path.Combine(_folder, "audit.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_chain_goes_on_after_a_line_that_was_torn()
    {
        await using (var audit = AuditLog.Open(Log, TimeProvider.System))
        {
            await audit.EndAsync(await audit.BeginAsync(Ada, "app.stop", "orders", null), "done");
            await audit.BeginAsync(Ada, "app.start", "orders", null);
        }

        var whole = await File.ReadAllBytesAsync(Log, ConsoleWorld.Cancel);
        for (var torn = 1; torn < 200; torn += 37)
        {
            await File.WriteAllBytesAsync(Log, [.. whole, .. whole[..torn]], ConsoleWorld.Cancel);
            await using (var audit = AuditLog.Open(Log, TimeProvider.System))
            {
                var next = await audit.BeginAsync(Ada, "app.restart", "orders", null);
                Assert.Equal(4, next.Number);
            }

            Assert.Null(AuditLog.FirstBroken(Log));
        }
    }

    [Fact]
    public async Task A_line_that_was_changed_or_taken_out_is_found()
    {
        await using (var audit = AuditLog.Open(Log, TimeProvider.System))
        {
            for (var i = 0; i < 5; i++)
                await audit.EndAsync(await audit.BeginAsync(Ada, "app.stop", $"app-{i}", null), "done");
        }

        Assert.Null(AuditLog.FirstBroken(Log));
        var lines = await File.ReadAllLinesAsync(Log, ConsoleWorld.Cancel);
        await File.WriteAllLinesAsync(Log, lines.Select((l, i) => i == 3 ? l.Replace("ada", "eve", StringComparison.Ordinal) : l), ConsoleWorld.Cancel);
        Assert.Equal(4, AuditLog.FirstBroken(Log));
        await File.WriteAllLinesAsync(Log, lines.Where((_, i) => i != 6), ConsoleWorld.Cancel);
        Assert.Equal(7, AuditLog.FirstBroken(Log));
    }

    [Fact]
    public async Task Changes_are_listed_with_their_outcomes_and_one_that_was_cut_short_as_begun()
    {
        var page = new string('x', 1500);
        await using var audit = AuditLog.Open(Log, TimeProvider.System);
        for (var i = 0; i < 150; i++)
            await audit.EndAsync(await audit.BeginAsync(Ada, "state.edit", $"key-{i}", page), i % 2 == 0 ? "done" : "refused: 409");
        await audit.BeginAsync(Ada, "state.delete", "last", null);

        var first = audit.Read(null, 100);
        var rest = audit.Read(first[^1].Number, 100);
        Assert.Equal(151, first.Count + rest.Count);
        Assert.Equal("begun", first[0].Outcome);
        Assert.Equal(["refused: 409", "done"], first.Skip(1).Take(2).Select(e => e.Outcome));
        Assert.Equal("key-0", rest[^1].Target);
    }
}
