using System.Globalization;
using System.Text;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>kill -9 at moments nobody chose. The seed is printed; FAULT_SEED repeats a run.</summary>
public sealed class FaultTests(StackFixture stack) : IAsyncDisposable
{
    private const int Orders = 200;
    private const string Runtime = "runtime";
    private const string Database = "postgres";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => new(stack.ServesAgainAsync());

    [Fact]
    public async Task Whatever_is_killed_no_order_is_lost_charged_twice_or_oversold()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("FAULT_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next(1_000_000);
        TestContext.Current.TestOutputHelper?.WriteLine($"FAULT_SEED={seed}");
        var random = new Random(seed);
        var victims = (string[])["orders", "inventory", "payments", Runtime, Database];
        random.Shuffle(victims);
        // A kill each time so many orders have come to their end; drawn without return, far enough from the last one that there is something left to harm.
        var moments = Enumerable.Range(5, Orders - 25).ToArray();
        random.Shuffle(moments);
        var plan = new Queue<(int Done, string Victim)>(moments.Take(victims.Length).Order().Zip(victims));
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(", ", plan.Select(p => $"{p.Victim} after {p.Done}")));

        var data = Invoices(seed);
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(4));
        using var oper = stack.Operator(gateway);
        await CatalogueImport.RunAsync(oper, data, 100_000, static _ => { }, Cancel);
        var invariants = stack.Invariants();
        var start = await invariants.StockAsync(Cancel);

        var killing = Task.CompletedTask;
        var turn = new Lock();
        void Progress(int done, int all, string what)
        {
            lock (turn)
            {
                if (what != "orders" || !plan.TryPeek(out var next) || done < next.Done)
                    return;
                plan.Dequeue();
                // One after the other: two at the same moment may hit the same restart, which proves less.
                killing = KillAfterAsync(killing, next.Victim);
            }
        }

        var replay = new Replay(gateway, oper, new ReplayOptions(8, Orders, $"fault-{seed}", TimeSpan.FromMinutes(4)), TimeProvider.System);
        var report = await replay.RunAsync(data, Progress, Cancel);
        await killing;

        Assert.True(report.Undecided.Count == 0 && report.Refused.Count == 0, string.Join('\n', [$"FAULT_SEED={seed}", .. report.Undecided, .. report.RefusedInvoices, stack.Logs()]));
        Assert.Equal(Orders, report.Confirmed + report.Cancelled.Values.Sum());
        await Books.BalanceAsync(invariants, start, stack, Cancel);
        Assert.Empty(plan);
        Assert.True((await HealthyAgainAsync()), stack.Logs());
    }

    private async Task KillAfterAsync(Task before, string victim)
    {
        await Task.Yield();
        await before;
        var status = await stack.RefreshAsync(Cancel);
        var pid = victim switch
        {
            Runtime => status.Pid,
            Database => status.Postgres!.Pid,
            _ => status.Apps.Single(a => a.App == victim).Pid,
        };
        if (pid is null)
            return; // It is being started again at this very moment: dead already.
        var process = ProcessTable.Find(pid.Value);
        Signals.Send(pid.Value, Signal.Kill);
        if (victim != Runtime)
            return; // Supervision starts it again.
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (process is { } identity && ProcessTable.IsAlive(identity))
            await interval.WaitForNextTickAsync(Cancel);
        await stack.UpAsync(Cancel);
    }

    private async Task<bool> HealthyAgainAsync()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        while (!(await stack.RefreshAsync(Cancel)).Healthy)
        {
            if (!await interval.WaitForNextTickAsync(deadline.Token))
                return false;
        }

        return true;
    }

    /// <summary>The excerpt's invoices over and over, under numbers of this run.</summary>
    private RetailFile Invoices(int seed)
    {
        var excerpt = RetailFile.Read(Path.Combine(stack.Root, "tests", "data", "online-retail-excerpt.csv")).Invoices();
        var text = new StringBuilder("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n");
        for (var i = 0; i < Orders; i++)
        {
            foreach (var line in excerpt[i % excerpt.Count].Lines)
            {
                text.Append(CultureInfo.InvariantCulture,
                    $"{seed}{i:D3},{line.Sku},\"{line.Description.Replace("\"", "\"\"", StringComparison.Ordinal)}\",{line.Quantity},2010-12-01,{line.PriceMinor / 100m:F2},{line.Customer},UK\n");
            }
        }

        return RetailFile.Parse(Encoding.UTF8.GetBytes(text.ToString()), "fault.csv");
    }
}
