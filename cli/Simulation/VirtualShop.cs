using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.Simulation;

/// <param name="Customers">Virtual customers, each with an account of its own.</param>
/// <param name="PerMinute">Visits of all customers together; the time between two is drawn, as that of people is.</param>
/// <param name="Workers">Virtual warehouse workers, who pack, ship and deliver what is confirmed.</param>
/// <param name="DeclinePercent">Of the cards.</param>
/// <param name="CancelPercent">Of the confirmed orders, by their customers.</param>
/// <param name="Duration">Null: until it is stopped.</param>
internal sealed record SimulationOptions(int Customers, double PerMinute, int Workers, int DeclinePercent, int CancelPercent, TimeSpan? Duration, int Seed);

/// <summary>Faults while the simulation runs, through the configuration store; null leaves a flag as it is.</summary>
/// <param name="PaymentFailurePercent">Of the charges, at the processor.</param>
/// <param name="SlowStockMs">Milliseconds before inventory takes up a call.</param>
/// <param name="BrokerLagMs">Milliseconds before a batch of events is published.</param>
internal sealed record SimulatedFaults(int? PaymentFailurePercent, int? SlowStockMs, int? BrokerLagMs)
{
    public const string PaymentFailure = "fault-payment-failure-percent";
    public const string SlowStock = "fault-slow-inventory-ms";
    public const string BrokerLag = "fault-broker-lag-ms";

    public IEnumerable<(string Key, int Value)> Flags() =>
        new (string Key, int? Value)[] { (PaymentFailure, PaymentFailurePercent), (SlowStock, SlowStockMs), (BrokerLag, BrokerLagMs) }
            .Where(f => f.Value is not null).Select(f => (f.Key, f.Value!.Value));
}

/// <summary>Customers who look around, fill their baskets and order, and workers who move the orders on, on a stack that runs.</summary>
internal sealed class VirtualShop(GatewayClient gateway, Customer oper, SimulationOptions options, TimeProvider time)
{
    private const int MaxLines = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly Channel<string> _warehouse = Channel.CreateUnbounded<string>();
    private readonly ConcurrentDictionary<string, int> _seen = new(StringComparer.Ordinal);
    private readonly string _run = Guid.NewGuid().ToString("N")[..8];

    /// <summary>What happened so far, by what it was.</summary>
    public IReadOnlyDictionary<string, int> Seen => new SortedDictionary<string, int>(_seen, StringComparer.Ordinal);

    public async Task RunAsync(Action<string> progress, CancellationToken cancel)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        if (options.Duration is { } duration)
            limited.CancelAfter(duration);
        var workers = Enumerable.Range(0, options.Workers).Select(_ => WorkAsync(cancel)).ToArray();
        var customers = new List<Customer>();
        try
        {
            for (var i = 0; i < options.Customers; i++)
            {
                customers.Add(new Customer(gateway, $"virtual-{_run}-{i}@simulation.example", "virtual-Passw0rd"));
                await customers[^1].RegisterAsync("Virtual", limited.Token);
            }

            progress($"{customers.Count} customers are registered");
            // Each customer comes by itself; a slow visit delays nobody else's.
            await Task.WhenAll(customers.Select((customer, i) => VisitAsync(customer, new Random(unchecked(options.Seed * 397) ^ i), limited.Token)));
        }
        catch (OperationCanceledException) when (limited.IsCancellationRequested)
        {
        }
        finally
        {
            _warehouse.Writer.Complete();
            // What is confirmed is still delivered, unless the user has had enough.
            await Task.WhenAll(workers);
            foreach (var customer in customers)
                customer.Dispose();
        }
    }

    private async Task VisitAsync(Customer customer, Random random, CancellationToken cancel)
    {
        var mean = TimeSpan.FromMinutes(options.Customers / options.PerMinute);
        var flow = new OrderFlow(oper, Patience, time);
        while (true)
        {
            await Task.Delay(mean * -Math.Log(1 - random.NextDouble()), time, cancel);
            var products = await customer.SendAsync(HttpMethod.Get, $"api/v1/inventory/products?limit=20&page={1 + random.Next(3)}", null, cancel);
            var skus = products.Data?.AsArray().Where(p => (long?)p!["available"] > 0).Select(p => (string)p!["id"]!).ToList() ?? [];
            Count("visits");
            if (skus.Count == 0)
                continue;
            var items = new JsonArray([.. Enumerable.Range(0, 1 + random.Next(MaxLines)).Select(_ => skus[random.Next(skus.Count)]).Distinct()
                .Select(sku => (JsonNode)new JsonObject { ["productId"] = sku, ["quantity"] = 1 + random.Next(2) })]);
            var basket = await customer.SendAsync(HttpMethod.Put, "api/v1/basket", new JsonObject { ["items"] = items.DeepClone() }, cancel, ("If-Match", "*"));
            Count(basket.Succeeded ? "baskets filled" : $"basket refused: {basket.Code}");
            var order = new JsonObject
            {
                ["items"] = items,
                ["shippingAddress"] = "1 Virtual Street, Simulated City",
                ["payment"] = new JsonObject { ["method"] = "CREDIT_CARD", ["token"] = random.Next(100) < options.DeclinePercent ? "tok_decline" : "tok_approve" },
            };
            var outcome = await flow.PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, cancel);
            Count(outcome.Fate switch
            {
                OrderFate.Confirmed => "confirmed",
                OrderFate.Cancelled => $"cancelled: {outcome.Reason}",
                OrderFate.Refused => $"refused: {outcome.Reason}",
                _ => "undecided",
            });
            if (outcome is not { Fate: OrderFate.Confirmed, OrderId: { } id })
                continue;
            if (random.Next(100) < options.CancelPercent)
                Count((await customer.SendAsync(HttpMethod.Post, $"api/v1/orders/{id}/cancel", new JsonObject { ["reason"] = "changed my mind" }, cancel)).Succeeded ? "cancelled by customers" : "cancelled too late");
            else
                _warehouse.Writer.TryWrite(id);
        }
    }

    private async Task WorkAsync(CancellationToken cancel)
    {
        try
        {
            await foreach (var id in _warehouse.Reader.ReadAllAsync(cancel))
            {
                foreach (var status in (string[])["PROCESSING", "SHIPPED", "DELIVERED"])
                {
                    var answer = await oper.SendAsync(HttpMethod.Put, $"api/v1/orders/{id}/status", new JsonObject { ["status"] = status }, cancel);
                    Count(answer.Succeeded ? status.ToLowerInvariant() : $"not {status.ToLowerInvariant()}: {answer.Code}");
                    if (!answer.Succeeded)
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
        }
    }

    private void Count(string what) => _seen.AddOrUpdate(what, 1, static (_, n) => n + 1);
}
