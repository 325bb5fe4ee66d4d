using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.Bench;

/// <summary>Figures of one number of clients. Processor time is that of the whole stack without the clients: it tells what an order costs also on a machine that has other work.</summary>
internal sealed record OrdersFigure(int Clients, int Orders, double ElapsedSeconds, double OrdersPerSecond, double P50Ms, double P95Ms, double P99Ms, double MaxMs,
    double ProcessorMsPerOrder, IReadOnlyDictionary<string, double> ProcessorMsPerOrderByProcess);

/// <summary>What <c>bench orders</c> prints. The figures without a number of clients are those of 8.</summary>
internal sealed record OrdersReport(double OrdersPerSecond, double P50Ms, double P95Ms, double P99Ms, double StartSeconds, double ResidentMegabytes,
    double RuntimeResidentMegabytes, int Processors, IReadOnlyList<OrdersFigure> Clients, IReadOnlyDictionary<string, int> Failures);

/// <summary>Orders through the gateway to their confirmation, each client one after the other.</summary>
internal sealed class OrdersBench(GatewayClient gateway, Customer oper, BenchStack stack, TimeProvider time)
{
    private const int Products = 50;
    private const int LinesPerOrder = 3;
    private const int Seed = 20101201;
    private readonly ConcurrentDictionary<string, int> _failures = new();

    public IReadOnlyDictionary<string, int> Failures => _failures;

    public async Task PrepareAsync(CancellationToken cancel)
    {
        var list = new JsonArray([.. Enumerable.Range(0, Products).Select(i => (JsonNode)new JsonObject
        {
            ["sku"] = Sku(i),
            ["name"] = $"Bench product {i}",
            ["priceMinor"] = 100 + i,
            ["stock"] = 1_000_000_000,
        })]);
        var answer = await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["products"] = list }, cancel);
        if (!answer.Succeeded)
            throw new CommandException($"The products of the measurement cannot be imported: {answer}");
    }

    public async Task<OrdersFigure> RunAsync(int clients, TimeSpan duration, CancellationToken cancel)
    {
        var latencies = new ConcurrentBag<double>();
        var watch = new Stopwatch();
        var before = await OrderAsync(clients, () => watch.Elapsed < duration, latencies.Add, watch.Start, cancel);
        var elapsed = watch.Elapsed.TotalSeconds;
        var after = stack.ProcessorTimes();
        var percentiles = Percentiles.Of(latencies);
        var costs = after.ToDictionary(a => a.Key, a => Math.Round((a.Value - before[a.Key]).TotalMilliseconds / Math.Max(1, percentiles.Count), 2));
        return new OrdersFigure(clients, percentiles.Count, Math.Round(elapsed, 2), Math.Round(percentiles.Count / elapsed, 1), percentiles.P50Ms, percentiles.P95Ms,
            percentiles.P99Ms, percentiles.MaxMs, Math.Round(costs.Values.Sum(), 2), costs);
    }

    /// <summary>So many orders in a row.</summary>
    public async Task<OrdersInARow> RunAsync(int clients, int orders, Action<double> confirmed, CancellationToken cancel)
    {
        OrderSlices? slices = null;
        var begun = 0;
        await OrderAsync(
            clients,
            () => Interlocked.Increment(ref begun) <= orders,
            milliseconds =>
            {
                slices!.Confirmed(milliseconds);
                confirmed(milliseconds);
            },
            () => slices = new OrderSlices(OrderSlices.SizeFor(orders), stack.Usage, time),
            cancel);
        return slices!.Report(clients, Failures);
    }

    /// <summary>Lets each client place orders, one after the other, while there are more.</summary>
    /// <returns>The processor times when it began.</returns>
    private async Task<IReadOnlyDictionary<string, TimeSpan>> OrderAsync(int clients, Func<bool> more, Action<double> confirmed, Action begin, CancellationToken cancel)
    {
        var customers = new List<Customer>();
        for (var i = 0; i < clients; i++)
        {
            var customer = new Customer(gateway, $"bench-{i}@bench.example", "bench-Passw0rd");
            await customer.RegisterAsync("Bench", cancel);
            customers.Add(customer);
        }

        var flow = new OrderFlow(null, TimeSpan.FromMinutes(1), time);
        var before = stack.ProcessorTimes();
        begin();
        await Task.WhenAll(customers.Select(async (customer, number) =>
        {
            var random = new Random(Seed + number);
            while (more())
            {
                var first = random.Next(Products);
                var order = new JsonObject
                {
                    ["items"] = new JsonArray([.. Enumerable.Range(0, LinesPerOrder).Select(i => (JsonNode)new JsonObject
                    {
                        ["productId"] = Sku((first + i) % Products),
                        ["quantity"] = random.Next(1, 5),
                    })]),
                    ["shippingAddress"] = "1 Bench Street, Measured City",
                };
                var outcome = await flow.PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, cancel);
                if (outcome.Fate == OrderFate.Confirmed)
                    confirmed(outcome.Milliseconds);
                else
                    _failures.AddOrUpdate($"{outcome.Fate}: {outcome.Reason}", 1, (_, n) => n + 1);
            }
        }));
        foreach (var customer in customers)
            customer.Dispose();
        return before;
    }

    private static string Sku(int i) => $"BENCH-{i:D3}";
}
