using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.Retail;

internal sealed record ReplayOptions(int Concurrency, int? Limit, string? Run, TimeSpan Patience);

/// <summary>What a replay did. Each name of a figure ends in its unit.</summary>
internal sealed record ReplayReport
{
    public required int Lines { get; init; }

    /// <summary>Lines that cannot be part of an order, by reason.</summary>
    public required IReadOnlyDictionary<string, int> RefusedLines { get; init; }

    public required int Customers { get; init; }

    public required int Invoices { get; init; }

    public required int Accepted { get; init; }

    /// <summary>Of the accepted: placed by an earlier replay, found again by their idempotency key.</summary>
    public required int AcceptedBefore { get; init; }

    public required int Confirmed { get; init; }

    public required IReadOnlyDictionary<string, int> Cancelled { get; init; }

    /// <summary>Orders that the gateway did not accept, by its reason.</summary>
    public required IReadOnlyDictionary<string, int> Refused { get; init; }

    /// <summary>The invoices of them.</summary>
    public required IReadOnlyList<string> RefusedInvoices { get; init; }

    /// <summary>Accepted and without a decision: must be empty.</summary>
    public required IReadOnlyList<string> Undecided { get; init; }

    /// <summary>Large orders that the replay's operator approved.</summary>
    public required int Approved { get; init; }

    /// <summary>Requests that were sent again because nothing or a temporary refusal came back.</summary>
    public required long Retries { get; init; }

    public required double ElapsedSeconds { get; init; }

    public required double OrdersPerSecond { get; init; }

    /// <summary>From the acceptance of an order to its confirmation, as its customer sees it.</summary>
    public required Percentiles AcceptedToConfirmed { get; init; }

    public IReadOnlyList<InvariantResult> Invariants { get; init; } = [];

    public IReadOnlyList<RetailProblem> Problems { get; init; } = [];

    public bool Succeeded => Undecided.Count == 0 && Invariants.All(i => i.Holds);
}

/// <summary>Places the invoices of a retail file as orders of its customers and waits for the end of each.</summary>
internal sealed class Replay(GatewayClient gateway, Customer oper, ReplayOptions options, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Customer> _customers = new();

    public async Task<ReplayReport> RunAsync(RetailFile file, Action<int, int, string> progress, CancellationToken cancel)
    {
        var invoices = file.Invoices().Take(options.Limit ?? int.MaxValue).ToList();
        await SignInAsync(invoices, progress, cancel);

        var flow = new OrderFlow(oper, options.Patience, time);
        var outcomes = new ConcurrentBag<OrderOutcome>();
        var watch = Stopwatch.StartNew();
        await Parallel.ForEachAsync(invoices, new ParallelOptions { MaxDegreeOfParallelism = options.Concurrency, CancellationToken = cancel }, async (invoice, token) =>
        {
            outcomes.Add(await PlaceAsync(flow, invoice, token));
            progress(outcomes.Count, invoices.Count, "orders");
        });
        return Report(file, invoices, [.. outcomes], watch.Elapsed, flow.Approved);
    }

    private async Task SignInAsync(List<RetailInvoice> invoices, Action<int, int, string> progress, CancellationToken cancel)
    {
        var numbers = invoices.Select(i => i.Customer).Distinct().ToList();
        var done = 0;
        await Parallel.ForEachAsync(numbers, new ParallelOptions { MaxDegreeOfParallelism = options.Concurrency, CancellationToken = cancel }, async (number, token) =>
        {
            var customer = Customer.OfNumber(gateway, number);
            await customer.RegisterAsync(number, token);
            _customers[number] = customer;
            progress(Interlocked.Increment(ref done), numbers.Count, "customers signed in");
        });
    }

    private async Task<OrderOutcome> PlaceAsync(OrderFlow flow, RetailInvoice invoice, CancellationToken cancel)
    {
        var order = new JsonObject
        {
            ["items"] = new JsonArray([.. invoice.Lines.Select(l => (JsonNode)new JsonObject { ["productId"] = l.Sku, ["quantity"] = l.Quantity })]),
            ["shippingAddress"] = $"Customer {invoice.Customer}, invoice {invoice.Number}",
        };
        var key = options.Run is { } run ? $"retail-{run}-{invoice.Number}" : $"retail-{invoice.Number}";
        try
        {
            return await flow.PlaceAsync(_customers[invoice.Customer], invoice.Number, key, order, cancel);
        }
        catch (CommandException e)
        {
            return new OrderOutcome(invoice.Number, OrderFate.Undecided, null, e.Message, 0, false);
        }
    }

    private ReplayReport Report(RetailFile file, List<RetailInvoice> invoices, List<OrderOutcome> outcomes, TimeSpan elapsed, int approved) => new()
    {
        Lines = file.Lines.Count + file.Problems.Count,
        RefusedLines = Count(file.Problems.Select(p => p.Reason)),
        Customers = _customers.Count,
        Invoices = invoices.Count,
        Accepted = outcomes.Count(o => o.OrderId is not null),
        AcceptedBefore = outcomes.Count(o => o.Repeated),
        Confirmed = outcomes.Count(o => o.Fate == OrderFate.Confirmed),
        Cancelled = Count(outcomes.Where(o => o.Fate == OrderFate.Cancelled).Select(o => o.Reason!)),
        Refused = Count(outcomes.Where(o => o.Fate == OrderFate.Refused).Select(o => o.Reason!)),
        RefusedInvoices = [.. outcomes.Where(o => o.Fate == OrderFate.Refused).OrderBy(o => o.Reference, StringComparer.Ordinal).Select(o => $"{o.Reference}: {o.Reason}")],
        Undecided = [.. outcomes.Where(o => o.Fate == OrderFate.Undecided).OrderBy(o => o.Reference, StringComparer.Ordinal).Select(o => $"{o.Reference} {o.OrderId}: {o.Reason}")],
        Approved = approved,
        Retries = gateway.Retries,
        ElapsedSeconds = Math.Round(elapsed.TotalSeconds, 3),
        OrdersPerSecond = Math.Round(outcomes.Count(o => o.OrderId is not null) / elapsed.TotalSeconds, 1),
        AcceptedToConfirmed = Percentiles.Of([.. outcomes.Where(o => o is { Fate: OrderFate.Confirmed, Repeated: false }).Select(o => o.Milliseconds)]),
        Problems = file.Problems,
    };

    private static SortedDictionary<string, int> Count(IEnumerable<string> reasons)
    {
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var reason in reasons)
            counts[reason] = counts.GetValueOrDefault(reason) + 1;
        return counts;
    }
}
