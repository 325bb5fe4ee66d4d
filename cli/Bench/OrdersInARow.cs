using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.Bench;

/// <summary>What the processes of a stack have used by a moment: processor time since their start, resident memory then.</summary>
internal sealed record StackUsage(IReadOnlyDictionary<string, TimeSpan> Processor, IReadOnlyDictionary<string, long> ResidentBytes);

/// <summary>Orders that were confirmed one after the other, and what the whole stack used for them, the clients not counted.</summary>
/// <param name="Orders">How many.</param>
/// <param name="OrdersPerSecond">From the end of the slice before to the end of this one.</param>
/// <param name="P50Ms">From the request to the answer that tells the confirmation.</param>
/// <param name="P95Ms">The same.</param>
/// <param name="P99Ms">The same.</param>
/// <param name="ProcessorMsPerOrder">Also tells what an order costs on a machine that has other work.</param>
/// <param name="ProcessorMsPerOrderByProcess">Its parts.</param>
/// <param name="ResidentMegabytes">Of everything at the end of the slice.</param>
internal sealed record OrdersSlice(int Orders, double OrdersPerSecond, double P50Ms, double P95Ms, double P99Ms, double ProcessorMsPerOrder,
    IReadOnlyDictionary<string, double> ProcessorMsPerOrderByProcess, double ResidentMegabytes);

/// <summary>Resident memory of one part of the stack before the first order and after the last.</summary>
internal sealed record MemoryChange(double StartMegabytes, double EndMegabytes);

/// <summary>What <c>bench orders --orders N</c> prints.</summary>
/// <param name="Orders">Confirmed.</param>
/// <param name="Clients">Each with one order at a time.</param>
/// <param name="OrdersPerSecond">Over all of them.</param>
/// <param name="DecayPercent">What the last quarter of the slices lost in orders/s against the second one: the first pays for the compiler. Below 0: it gained.</param>
/// <param name="CostGrowthPercent">The same of the processor time of an order, which other work on the machine disturbs less.</param>
/// <param name="Slices">In their order.</param>
/// <param name="Memory">By process; "runtime" is the platform with every sidecar.</param>
/// <param name="Processors">Of the machine.</param>
/// <param name="Failures">What became of the orders that were not confirmed.</param>
internal sealed record OrdersInARow(int Orders, int Clients, double OrdersPerSecond, double P50Ms, double P95Ms, double P99Ms, double ProcessorMsPerOrder, double DecayPercent,
    double CostGrowthPercent, IReadOnlyList<OrdersSlice> Slices, IReadOnlyDictionary<string, MemoryChange> Memory, int Processors, IReadOnlyDictionary<string, int> Failures);

/// <summary>Cuts a stream of confirmed orders into slices. Thread-safe.</summary>
/// <param name="size">Orders of a slice.</param>
/// <param name="usage">Asked at the start and at the end of each slice.</param>
/// <param name="time">Measures the slices.</param>
internal sealed class OrderSlices(int size, Func<StackUsage> usage, TimeProvider time)
{
    private const double BytesPerMegabyte = 1024 * 1024;
    private const int Quarters = 4;
    private readonly Lock _lock = new();
    private readonly List<OrdersSlice> _slices = [];
    private readonly List<double> _all = [];
    private readonly List<double> _latencies = [];
    private readonly StackUsage _first = usage();
    private readonly long _began = time.GetTimestamp();
    private StackUsage? _last;
    private long _cut;

    /// <summary>So that there are four at least, and no more than a thousand orders in each.</summary>
    public static int SizeFor(int orders) => Math.Clamp(orders / Quarters, 1, 1000);

    public void Confirmed(double milliseconds)
    {
        lock (_lock)
        {
            _all.Add(milliseconds);
            _latencies.Add(milliseconds);
            if (_latencies.Count == size)
                Cut();
        }
    }

    /// <summary>The report; what has begun to be a slice becomes one.</summary>
    public OrdersInARow Report(int clients, IReadOnlyDictionary<string, int> failures)
    {
        lock (_lock)
        {
            if (_latencies.Count > 0)
                Cut();
            var last = _last ?? _first;
            var all = Percentiles.Of(_all);
            var seconds = time.GetElapsedTime(_began, _cut == 0 ? _began : _cut).TotalSeconds;
            return new OrdersInARow(
                all.Count, clients, Rate(all.Count, seconds), all.P50Ms, all.P95Ms, all.P99Ms, Cost(_first, last, all.Count),
                Math.Round(-Change(s => s.OrdersPerSecond), 1), Math.Round(Change(s => s.ProcessorMsPerOrder), 1), [.. _slices],
                last.ResidentBytes.ToDictionary(m => m.Key, m => new MemoryChange(Megabytes(_first.ResidentBytes.GetValueOrDefault(m.Key)), Megabytes(m.Value))),
                Environment.ProcessorCount, failures);
        }
    }

    private void Cut()
    {
        var before = _last ?? _first;
        var since = _cut == 0 ? _began : _cut;
        (_last, _cut) = (usage(), time.GetTimestamp());
        var percentiles = Percentiles.Of(_latencies);
        _slices.Add(new OrdersSlice(
            percentiles.Count, Rate(percentiles.Count, time.GetElapsedTime(since, _cut).TotalSeconds), percentiles.P50Ms, percentiles.P95Ms, percentiles.P99Ms,
            Cost(before, _last, percentiles.Count), Costs(before, _last, percentiles.Count).ToDictionary(c => c.Key, c => Math.Round(c.Value, 2)), Megabytes(_last.ResidentBytes.Values.Sum())));
        _latencies.Clear();
    }

    // In percent, from the second quarter to the last; 0 where there are not four slices.
    private double Change(Func<OrdersSlice, double> figure)
    {
        var quarter = _slices.Count / Quarters;
        if (quarter == 0)
            return 0;
        var second = _slices.Skip(quarter).Take(quarter).Average(figure);
        var last = _slices.TakeLast(quarter).Average(figure);
        return second > 0 ? 100 * (last - second) / second : 0;
    }

    private static double Rate(int orders, double seconds) => seconds > 0 ? Math.Round(orders / seconds, 1) : 0;

    private static double Cost(StackUsage before, StackUsage after, int orders) =>
        Math.Round(Costs(before, after, orders).Sum(c => c.Value), 2);

    private static IEnumerable<KeyValuePair<string, double>> Costs(StackUsage before, StackUsage after, int orders) =>
        after.Processor.Select(a => KeyValuePair.Create(a.Key, (a.Value - before.Processor.GetValueOrDefault(a.Key)).TotalMilliseconds / Math.Max(1, orders)));

    private static double Megabytes(long bytes) => Math.Round(bytes / BytesPerMegabyte, 1);
}
