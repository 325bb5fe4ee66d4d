using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.Chaos;

/// <summary>
/// Orders of mixed outcome while processes are killed with SIGKILL: services, the runtime with every sidecar, PostgreSQL. Some cards are declined, some
/// products run out, some orders are cancelled, some are posted twice at once with one key, some are refunded in part, and every kill
/// changes who drives new orders. At the end the books have to balance.
/// </summary>
internal sealed class ChaosRun(GatewayClient gateway, Customer oper, IChaosTarget target, ChaosOptions options, TimeProvider time)
{
    private const int Plenty = 30;
    private const int Scarce = 10;
    private const long PlentyStock = 1_000_000;
    private const string Runtime = "runtime";
    private const string Database = "postgres";
    private static readonly string[] Modes = ["choreographed", "orchestrated"];
    private static readonly TimeSpan CheckInterval = TimeSpan.FromMilliseconds(500);
    private readonly ConcurrentDictionary<string, bool> _accepted = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<OrderOutcome> _outcomes = [];
    private readonly ConcurrentDictionary<string, int> _kills = new(StringComparer.Ordinal);
    private readonly string _run = Guid.NewGuid().ToString("N")[..8];
    private int _doubledKeys;
    private int _next;
    private int _modes;
    private long _began;

    private bool LacksKills => _kills.Values.Sum() < options.LeastKills && time.GetElapsedTime(_began) < options.Patience;

    public async Task<ChaosReport> RunAsync(Action<int, int, string> progress, CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        await ImportAsync(cancel);
        var customers = new List<Customer>();
        for (var i = 0; i < options.Clients; i++)
        {
            var customer = new Customer(gateway, $"chaos-{_run}-{i}@chaos.example", "chaos-Passw0rd");
            await customer.RegisterAsync("Chaos", cancel);
            customers.Add(customer);
        }

        var invariants = target.Invariants();
        var start = await invariants.StockAsync(cancel);
        using (var stopKilling = CancellationTokenSource.CreateLinkedTokenSource(cancel))
        {
            var killing = KillAsync(stopKilling.Token);
            var flow = new OrderFlow(oper, options.Patience, time);
            _began = time.GetTimestamp();
            try
            {
                await Task.WhenAll(customers.Select(customer => OrderAsync(customer, flow, progress, cancel)));
            }
            finally
            {
                // Also when the run is called off: who takes the stack down must not meet a platform that is just being started again.
                await stopKilling.CancelAsync();
                await killing;
            }
        }

        await SetModeAsync(Modes[1], cancel);

        foreach (var customer in customers)
            customer.Dispose();
        var violations = await RestAsync(invariants, start, cancel);
        return new ChaosReport
        {
            Seed = options.Seed,
            Orders = _outcomes.Count,
            Accepted = _accepted.Count,
            Confirmed = _outcomes.Count(o => o.Fate == OrderFate.Confirmed),
            Cancelled = ByReason(OrderFate.Cancelled),
            Refused = ByReason(OrderFate.Refused),
            Undecided = [.. _outcomes.Where(o => o.Fate == OrderFate.Undecided).Select(o => $"{o.OrderId}: {o.Reason}")],
            Kills = new SortedDictionary<string, int>(_kills, StringComparer.Ordinal),
            Choreographed = await invariants.ChoreographedAsync(_accepted.Keys.ToArray(), cancel),
            Retries = gateway.Retries,
            ElapsedSeconds = Math.Round(watch.Elapsed.TotalSeconds, 1),
            Lost = violations.Lost,
            Doubled = violations.Doubled + _doubledKeys,
            Oversold = violations.Oversold,
            Leaked = violations.Leaked,
            Stuck = violations.Stuck,
        };
    }

    private async Task ImportAsync(CancellationToken cancel)
    {
        var products = new JsonArray();
        for (var i = 0; i < Plenty + Scarce; i++)
            products.Add(new JsonObject { ["sku"] = Sku(i), ["name"] = $"Chaos product {i}", ["priceMinor"] = 500 + i, ["stock"] = i < Plenty ? PlentyStock : Math.Max(1, options.Orders / 400) });
        var answer = await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["products"] = products }, cancel);
        if (!answer.Succeeded)
            throw new CommandException($"The products cannot be imported: {answer}");
    }

    private async Task OrderAsync(Customer customer, OrderFlow flow, Action<int, int, string> progress, CancellationToken cancel)
    {
        while (Interlocked.Increment(ref _next) is var number && (number <= options.Orders || LacksKills))
        {
            // By the number of the order, so that a seed orders the same whoever is served first.
            var random = new Random(HashCode.Of(options.Seed, number));
            var fate = random.Next(100);
            var key = $"chaos-{_run}-{number}";
            var order = Order(random, declined: fate is >= 70 and < 82, scarce: fate is >= 82 and < 90);
            OrderOutcome outcome;
            if (fate >= 95)
            {
                var both = await Task.WhenAll(flow.PlaceAsync(customer, key, key, order.DeepClone(), cancel), flow.PlaceAsync(customer, key, key, order.DeepClone(), cancel));
                if (both[0].OrderId != both[1].OrderId)
                    Interlocked.Increment(ref _doubledKeys);
                outcome = both[0];
            }
            else
            {
                outcome = await flow.PlaceAsync(customer, key, key, order, cancel);
            }

            if (outcome.OrderId is { } id)
            {
                _accepted[id] = true;
                if (fate is >= 90 and < 95 && outcome.Fate == OrderFate.Confirmed)
                    outcome = await CancelAsync(customer, outcome, id, cancel);
                else if (fate < 5 && outcome.Fate == OrderFate.Confirmed)
                    await RefundAsync(customer, id, key, cancel);
            }

            _outcomes.Add(outcome);
            progress(_outcomes.Count, options.Orders, $"orders, {_kills.Values.Sum()} kills");
        }
    }

    /// <summary>Cancels a confirmed order and waits until everything is taken back.</summary>
    private async Task<OrderOutcome> CancelAsync(Customer customer, OrderOutcome outcome, string id, CancellationToken cancel)
    {
        var asked = time.GetTimestamp();
        await customer.SendAsync(HttpMethod.Post, $"api/v1/orders/{id}/cancel", new JsonObject { ["reason"] = "chaos" }, cancel);
        while (time.GetElapsedTime(asked) < options.Patience)
        {
            var read = await customer.SendAsync(HttpMethod.Get, $"api/v1/orders/{id}", null, cancel);
            if ((string?)read.Data?["status"] == "CANCELLED")
                return outcome with { Fate = OrderFate.Cancelled, Reason = (string?)read.Data?["reason"] ?? "" };
            await Task.Delay(CheckInterval, time, cancel);
        }

        return outcome with { Fate = OrderFate.Undecided, Reason = "its cancellation was accepted and not carried out" };
    }

    private static async Task RefundAsync(Customer customer, string id, string key, CancellationToken cancel)
    {
        var payments = await customer.SendAsync(HttpMethod.Get, $"api/v1/payments?order_id={id}", null, cancel);
        if ((string?)payments.Data?[0]?["id"] is { } payment)
            await customer.SendAsync(HttpMethod.Post, $"api/v1/payments/{payment}/refund", new JsonObject { ["amountMinor"] = 1 }, cancel, ("Idempotency-Key", key));
    }

    private static JsonObject Order(Random random, bool declined, bool scarce)
    {
        var first = random.Next(Plenty);
        var items = new JsonArray();
        for (var i = 0; i < 1 + random.Next(3); i++)
            items.Add(new JsonObject { ["productId"] = Sku((first + i) % Plenty), ["quantity"] = 1 + random.Next(4) });
        if (scarce)
            items.Add(new JsonObject { ["productId"] = Sku(Plenty + random.Next(Scarce)), ["quantity"] = 1 });
        return new JsonObject
        {
            ["items"] = items,
            ["shippingAddress"] = "13 Disaster Recovery Road",
            ["payment"] = new JsonObject { ["method"] = "CREDIT_CARD", ["token"] = declined ? "tok_decline" : "tok_approve" },
        };
    }

    private async Task KillAsync(CancellationToken cancel)
    {
        var random = new Random(options.Seed);
        try
        {
            while (true)
            {
                await Task.Delay(options.Pause * (0.5 + random.NextDouble()), time, cancel);
                var status = await target.StatusAsync(cancel);
                var victims = status.Apps.Select(a => (Name: a.App, a.Pid)).Append((Runtime, status.Pid)).Append((Database, status.Postgres?.Pid)).ToArray();
                var (name, pid) = victims[random.Next(victims.Length)];
                // Without a process it is being started again: dead already.
                if (pid is not { } victim || ProcessTable.Find(victim) is not { } process)
                    continue;
                await SetModeAsync(Modes[_modes++ % Modes.Length], cancel);
                Signals.Send(victim, Signal.Kill);
                _kills.AddOrUpdate(name, 1, static (_, n) => n + 1);
                if (name != Runtime)
                    continue;
                while (ProcessTable.IsAlive(process))
                    await Task.Delay(20, CancellationToken.None);
                // Not cancelled half way: what is asked next needs a platform.
                await target.UpAsync(CancellationToken.None);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
        }
    }

    // The platform may be on its way up; then the mode stays as it is.
    private async Task SetModeAsync(string mode, CancellationToken cancel)
    {
        try
        {
            await target.SetOrderModeAsync(mode, cancel);
        }
        catch (CommandException)
        {
        }
    }

    // The last compensation may be on its way when its order is decided, and the last victim on its way up.
    private async Task<Violations> RestAsync(Invariants invariants, IReadOnlyDictionary<string, StockLevel> start, CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            Violations? violations = null;
            try
            {
                violations = await invariants.CountAsync(start, _accepted.Keys.ToArray(), cancel);
            }
            catch (Npgsql.NpgsqlException) when (watch.Elapsed < options.Patience)
            {
            }

            if (violations is { None: true } || (violations is not null && watch.Elapsed >= options.Patience))
                return violations;
            await Task.Delay(CheckInterval, time, cancel);
        }
    }

    private Dictionary<string, int> ByReason(OrderFate fate) =>
        _outcomes.Where(o => o.Fate == fate).GroupBy(o => o.Reason ?? "").ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);

    private static string Sku(int i) => string.Create(CultureInfo.InvariantCulture, $"CHAOS-{i:D2}");

    private static class HashCode
    {
        /// <summary>The same in every process, unlike that of the framework.</summary>
        public static int Of(int seed, int number) => unchecked((seed * 397 ^ number) * 16777619);
    }
}
