using System.Diagnostics;

namespace DaprPlatform.Benchmarks;

/// <summary>Runs an operation by so many callers for a time.</summary>
internal static class Measure
{
    public static async Task<(double PerSecond, double P50, double P99)> RunAsync(int callers, double seconds, Func<int, int, Task> operation)
    {
        var clock = Stopwatch.StartNew();
        var all = await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
        {
            var mine = new List<float>(1 << 14);
            for (var i = 0; clock.Elapsed.TotalSeconds < seconds; i++)
            {
                var start = Stopwatch.GetTimestamp();
                await operation(caller, i);
                mine.Add((float)Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }

            return mine;
        })));
        var elapsed = clock.Elapsed.TotalSeconds;
        // The whole answer time is measured, and nothing is thrown away.
        var sorted = all.SelectMany(l => l).Order().ToArray();
        return (sorted.Length / elapsed, sorted[sorted.Length / 2], sorted[sorted.Length * 99 / 100]);
    }
}
