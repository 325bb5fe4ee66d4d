namespace DaprPlatform.Cli.Retail;

/// <summary>Durations in milliseconds, from a sample: nearest rank, so that each figure is one that was measured.</summary>
internal sealed record Percentiles(int Count, double P50Ms, double P95Ms, double P99Ms, double MaxMs)
{
    public static Percentiles Of(IReadOnlyCollection<double> milliseconds)
    {
        if (milliseconds.Count == 0)
            return new Percentiles(0, 0, 0, 0, 0);
        var sorted = milliseconds.Order().ToArray();
        return new Percentiles(sorted.Length, Rank(sorted, 50), Rank(sorted, 95), Rank(sorted, 99), Math.Round(sorted[^1], 2));
    }

    private static double Rank(double[] sorted, int percent)
    {
        var rank = (sorted.Length * percent + 99) / 100;
        return Math.Round(sorted[Math.Max(rank, 1) - 1], 2);
    }
}
