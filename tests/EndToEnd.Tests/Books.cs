using System.Diagnostics;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

internal static class Books
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>The rules that no fault may break. The last compensation may still be on its way when its order is decided.</summary>
    public static async Task BalanceAsync(Invariants invariants, IReadOnlyDictionary<string, StockLevel> start, StackFixture stack, CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        using var interval = new PeriodicTimer(Interval);
        while (true)
        {
            var results = await invariants.CheckAsync(start, cancel);
            if (results.All(r => r.Holds))
                return;
            if (watch.Elapsed > Patience)
                Assert.Fail(string.Join('\n', results.Where(r => !r.Holds)) + "\n" + stack.Logs());
            await interval.WaitForNextTickAsync(cancel);
        }
    }
}
