using System.Collections.Concurrent;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.LoadTest;

/// <summary>A limit of the scenario, and what was measured; null: nothing was, which is no success.</summary>
internal sealed record LoadVerdict(string Metric, double Limit, double? Measured)
{
    public bool Passed => Measured < Limit;
}

internal sealed record LoadCheck(int Passed, int Failed);

/// <summary>The end of a load test.</summary>
internal sealed record LoadReport(bool Passed, double Seconds, int Iterations, int Orders, int Requests, int FailedRequests, Percentiles RequestMs, Percentiles OrderDecidedMs, Percentiles EventMs,
    IReadOnlyDictionary<string, LoadCheck> Checks, IReadOnlyList<LoadVerdict> Thresholds);

/// <summary>What the users of a load test measure, with the names that the script for k6 gives to it.</summary>
internal sealed class LoadFigures
{
    private readonly ConcurrentBag<double> _requests = [];
    private readonly ConcurrentBag<double> _decided = [];
    private readonly ConcurrentBag<double> _events = [];
    private readonly ConcurrentDictionary<string, (int Passed, int Failed)> _checks = new(StringComparer.Ordinal);
    private int _sent, _failed, _iterations, _errors, _orders;

    /// <param name="slow">Whether its time counts: waits for a decision and looks for a message are no slow answers.</param>
    /// <param name="milliseconds">From the sending to the last byte of the answer.</param>
    /// <param name="succeeded">It was answered with a status below 400.</param>
    public void Request(bool slow, double milliseconds, bool succeeded)
    {
        Interlocked.Increment(ref _sent);
        if (!succeeded)
            Interlocked.Increment(ref _failed);
        if (slow)
            _requests.Add(milliseconds);
    }

    public void Decided(double milliseconds)
    {
        _decided.Add(milliseconds);
        Interlocked.Increment(ref _orders);
    }

    /// <summary>From the commit of the event's cause to the moment its effect in another service could be read.</summary>
    public void Event(double milliseconds) => _events.Add(milliseconds);

    public bool Check(string name, bool passed)
    {
        _checks.AddOrUpdate(name, _ => passed ? (1, 0) : (0, 1), (_, seen) => passed ? (seen.Passed + 1, seen.Failed) : (seen.Passed, seen.Failed + 1));
        return passed;
    }

    public void Iteration(bool succeeded)
    {
        Interlocked.Increment(ref _iterations);
        if (!succeeded)
            Interlocked.Increment(ref _errors);
    }

    public LoadReport Report(LoadLimits limits, TimeSpan elapsed)
    {
        var (requests, decided, events) = (Percentiles.Of(_requests), Percentiles.Of(_decided), Percentiles.Of(_events));
        LoadVerdict[] verdicts =
        [
            new("http_req_duration{kind:request} p(95) ms", limits.RequestP95Milliseconds, P95(requests)),
            new("http_req_failed rate", limits.FailedRequests, Rate(_failed, _sent)),
            new("order_decided p(95) ms", limits.OrderDecidedP95Milliseconds, P95(decided)),
            new("event_latency p(95) ms", limits.EventP95Milliseconds, P95(events)),
            new("error_rate rate", limits.ErrorRate, Rate(_errors, _iterations)),
        ];
        return new LoadReport(Array.TrueForAll(verdicts, v => v.Passed), Math.Round(elapsed.TotalSeconds, 1), _iterations, _orders, _sent, _failed, requests, decided, events,
            _checks.OrderBy(c => c.Key, StringComparer.Ordinal).ToDictionary(c => c.Key, c => new LoadCheck(c.Value.Passed, c.Value.Failed)), verdicts);
    }

    private static double? P95(Percentiles sample) => sample.Count == 0 ? null : sample.P95Ms;

    private static double? Rate(int part, int whole) => whole == 0 ? null : Math.Round((double)part / whole, 4);
}
