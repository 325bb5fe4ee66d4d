using DaprPlatform.Cli.Bench;

namespace DaprPlatform.Cli.Tests;

public sealed class OrderSlicesTests
{
    private const long Megabyte = 1 << 20;
    private static readonly Dictionary<string, int> NoFailures = [];
    private readonly ManualTime _time = new();
    private TimeSpan _processor = TimeSpan.FromSeconds(7);
    private long _resident = 100 * Megabyte;

    [Theory]
    [InlineData(4, 1)]
    [InlineData(2_000, 500)]
    [InlineData(20_000, 1_000)]
    public void A_slice_has_a_thousand_orders_at_most_and_there_are_four_at_least(int orders, int size) => Assert.Equal(size, OrderSlices.SizeFor(orders));

    [Fact]
    public void Each_slice_tells_its_own_rate_latency_cost_and_the_memory_at_its_end()
    {
        var slices = Slices(size: 10);
        Confirm(slices, 10, pace: TimeSpan.FromMilliseconds(10), cost: TimeSpan.FromMilliseconds(20), latency: 30);
        _resident += 5 * Megabyte;
        Confirm(slices, 10, pace: TimeSpan.FromMilliseconds(20), cost: TimeSpan.FromMilliseconds(8), latency: 50);

        var report = slices.Report(8, NoFailures);

        Assert.Equal([(10, 100d, 30d, 20d, 100d), (10, 50d, 50d, 8d, 105d)], report.Slices.Select(s => (s.Orders, s.OrdersPerSecond, s.P50Ms, s.ProcessorMsPerOrder, s.ResidentMegabytes)));
        Assert.Equal(8d, report.Slices[1].ProcessorMsPerOrderByProcess["orders"]);
        Assert.Equal((20, 8, 66.7, 14d), (report.Orders, report.Clients, report.OrdersPerSecond, report.ProcessorMsPerOrder));
        Assert.Equal(new MemoryChange(100, 105), report.Memory["orders"]);
    }

    [Fact]
    public void Decay_is_what_the_last_quarter_lost_against_the_second()
    {
        var slices = Slices(size: 10);
        // The first pays for the compiler.
        foreach (var (pace, cost) in ((int, int)[])[(50, 40), (10, 10), (10, 10), (20, 15)])
            Confirm(slices, 10, TimeSpan.FromMilliseconds(pace), TimeSpan.FromMilliseconds(cost), latency: 1);

        var report = slices.Report(1, NoFailures);

        Assert.Equal((50d, 50d), (report.DecayPercent, report.CostGrowthPercent));
    }

    [Fact]
    public void Orders_behind_the_last_whole_slice_count_too()
    {
        var slices = Slices(size: 10);
        Confirm(slices, 13, TimeSpan.FromMilliseconds(10), TimeSpan.FromMilliseconds(10), latency: 1);

        var report = slices.Report(1, new Dictionary<string, int> { ["Refused: no"] = 2 });

        Assert.Equal([10, 3], report.Slices.Select(s => s.Orders));
        Assert.Equal((13, 100d, 10d), (report.Orders, report.OrdersPerSecond, report.ProcessorMsPerOrder));
        Assert.Equal(2, report.Failures["Refused: no"]);
    }

    [Fact]
    public void Without_a_confirmed_order_there_is_a_report_of_nothing()
    {
        var report = Slices(size: 10).Report(1, NoFailures);

        Assert.Empty(report.Slices);
        Assert.Equal((0, 0d, 0d, 0d), (report.Orders, report.OrdersPerSecond, report.DecayPercent, report.ProcessorMsPerOrder));
    }

    private OrderSlices Slices(int size) => new(
        size, () => new StackUsage(new Dictionary<string, TimeSpan> { ["orders"] = _processor }, new Dictionary<string, long> { ["orders"] = _resident }), _time);

    private void Confirm(OrderSlices slices, int orders, TimeSpan pace, TimeSpan cost, double latency)
    {
        for (var i = 0; i < orders; i++)
        {
            _time.Advance(pace);
            _processor += cost;
            slices.Confirmed(latency);
        }
    }
}
