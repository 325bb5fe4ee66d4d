namespace DaprPlatform.Cli.Supervision;

/// <summary>
/// How long to wait before the next start: doubling from <see cref="First"/> up to <see cref="Longest"/>; a program that served for
/// <see cref="Forgiven"/> starts from the beginning.
/// </summary>
internal sealed record Backoff(TimeSpan First, TimeSpan Longest, TimeSpan Forgiven)
{
    public static Backoff Default { get; } = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(20));

    /// <param name="failures">Failures in a row, this one included.</param>
    public TimeSpan DelayAfter(int failures)
    {
        const int enough = 20;
        var delay = First * Math.Pow(2, Math.Clamp(failures - 1, 0, enough));
        return delay < Longest ? delay : Longest;
    }
}
