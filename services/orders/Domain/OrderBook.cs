using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Orders.Data;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using Google.Protobuf;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using OrderItem = DaprPlatform.Contracts.Orders.OrderItem;
using OrderMessage = DaprPlatform.Contracts.Orders.Order;

namespace DaprPlatform.Orders.Domain;

/// <summary>What users and operators do with orders. The owner is in every query.</summary>
internal sealed class OrderBook(
    OrdersDb db,
    Catalog.CatalogClient catalog,
    RecentPrices recentPrices,
    WorkflowStarter workflows,
    OrderMode mode,
    ApprovalThreshold threshold,
    OrderFactsCache cache,
    OrderWaiters waiters,
    OrderMetrics metrics,
    OutboxSignal outbox,
    CurrentUser user,
    TimeProvider time) : IOrderBook
{
    private const int MaxItems = 500;
    private const int MaxQuantity = 100;
    private const string DefaultToken = "tok_approve";
    private const int MaxRaces = 3;
    private const int MaxWaitSeconds = 30;
    private const string Operation = "place-order";
    // The database gives the number.
    private const long NotNumbered = 0;
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    public async Task<PlaceOrderResponse> PlaceOrderAsync(PlaceOrderRequest request, CancellationToken cancellationToken)
    {
        var response = await PlaceAsync(request, cancellationToken);
        if (request.WaitSeconds > 0)
            await FollowAsync(response, request.WaitSeconds, cancellationToken);
        return response;
    }

    public async Task<OrderMessage> GetOrderAsync(GetOrderRequest request, CancellationToken cancellationToken)
    {
        var id = Parse(request.OrderId);
        return await DecisionAsync(id, request.WaitSeconds, request.KnownChanges, cancellationToken) ?? OrderMessages.ToMessage(await FindAsync(id, cancellationToken));
    }

    private async Task<PlaceOrderResponse> PlaceAsync(PlaceOrderRequest request, CancellationToken cancellationToken)
    {
        var owner = user.Id;
        var method = request.PaymentMethod.Length > 0 ? request.PaymentMethod : PaymentMethods.Default;
        var quantities = Validate(request, method);
        var key = request.IdempotencyKey;
        var hash = key.Length == 0 ? [] : HashOf(request);
        Dictionary<string, PricedProduct> prices;
        try
        {
            prices = await PriceAsync(quantities.Keys, cancellationToken);
        }
        catch (Exception) when (key.Length > 0 && !cancellationToken.IsCancellationRequested)
        {
            // A repetition is answered as it was, whatever has become of the products.
            if (await FindAnswerAsync(owner, key, hash, cancellationToken) is { } known)
                return known;
            throw;
        }
        for (var race = 0; ; race++)
        {
            try
            {
                return await AcceptAsync(request, owner, method, quantities, prices, key, hash, cancellationToken);
            }
            catch (PostgresException e) when (race < MaxRaces && Idempotency.IsLostRace(e))
            {
                // Next time it is known.
            }
        }
    }

    public async Task<ListOrdersResponse> ListOrdersAsync(ListOrdersRequest request, CancellationToken cancellationToken)
    {
        var owner = user.Id.Value;
        var query = db.Orders.AsNoTracking().Where(o => o.UserId == owner);
        if (request.Status.Length > 0)
        {
            if (!OrderStatusMachine.TryParse(request.Status, out var status))
                throw Refusals.Validation("status", "is not a status of orders");
            query = query.Where(o => o.Status == status);
        }
        var page = Paging.Read(request.Page);
        var total = await query.LongCountAsync(cancellationToken);
        var ordered = page.Cursor is { } cursor ? After(query, request.Sort, cursor) : Sorted(query, request.Sort).Skip(page.Offset);
        var rows = await ordered.Take(page.Limit + 1).Include(o => o.Lines).Include(o => o.History).AsSplitQuery().ToListAsync(cancellationToken);
        var byTotal = request.Sort is "total" or "-total";
        var response = new ListOrdersResponse
        {
            Page = page.Info(total, rows, o => new OrderId(o.Id).ToString() is var id && byTotal ? Paging.Join(o.TotalMinor, id) : id),
        };
        response.Orders.AddRange(rows.Take(page.Limit).Select(OrderMessages.ToMessage));
        return response;
    }

    public async Task<OrderMessage> CancelOrderAsync(CancelOrderRequest request, CancellationToken cancellationToken)
    {
        var order = await ChangeAsync(Parse(request.OrderId), o => o.RequestCancellation(time.GetUtcNow()), cancellationToken, new Act("order.cancel", new { }));
        // Durable in the row; the sweep repeats this if it is lost.
        workflows.Cancel(new OrderId(order.Id), order.IsDrivenByWorkflow);
        return OrderMessages.ToMessage(order);
    }

    public async Task<OrderMessage> UpdateStatusAsync(UpdateStatusRequest request, CancellationToken cancellationToken)
    {
        RequireOperator();
        if (!OrderStatusMachine.TryParse(request.Status, out var status))
            throw Refusals.Validation("status", "is not a status of orders");
        return OrderMessages.ToMessage(await ChangeAsync(
            Parse(request.OrderId), o => o.MoveTo(status, time.GetUtcNow()), cancellationToken, new Act("order.status", new { status = request.Status })));
    }

    public async Task<OrderMessage> DecideApprovalAsync(DecideApprovalRequest request, CancellationToken cancellationToken)
    {
        RequireOperator();
        var order = await ChangeAsync(Parse(request.OrderId), o => o.DecideApproval(request.Approved), cancellationToken, new Act("order.approval", new { request.Approved }));
        workflows.Approve(new OrderId(order.Id), request.Approved);
        return OrderMessages.ToMessage(order);
    }

    // Ids are made in order of time. An id makes every other order a total one.
    private static IQueryable<Order> Sorted(IQueryable<Order> query, string sort) => sort switch
    {
        "" or "-created_at" => query.OrderByDescending(o => o.Id),
        "created_at" => query.OrderBy(o => o.Id),
        "total" => query.OrderBy(o => o.TotalMinor).ThenBy(o => o.Id),
        "-total" => query.OrderByDescending(o => o.TotalMinor).ThenByDescending(o => o.Id),
        _ => throw Refusals.Validation("sort", "must be created_at, -created_at, total or -total"),
    };

    private static IQueryable<Order> After(IQueryable<Order> query, string sort, string cursor)
    {
        var ordered = Sorted(query, sort);
        if (sort is "total" or "-total")
        {
            var (total, text) = Paging.Split(cursor);
            var last = ParseCursor(text);
            return sort == "total"
                ? ordered.Where(o => o.TotalMinor > total || (o.TotalMinor == total && o.Id > last))
                : ordered.Where(o => o.TotalMinor < total || (o.TotalMinor == total && o.Id < last));
        }
        var id = ParseCursor(cursor);
        return sort == "created_at" ? ordered.Where(o => o.Id > id) : ordered.Where(o => o.Id < id);
    }

    private static Guid ParseCursor(string text) =>
        OrderId.TryParse(text, out var id) ? id.Value : throw Refusals.Validation("cursor", "is not one of this list");

    private static Dictionary<string, int> Validate(PlaceOrderRequest request, string method)
    {
        var validator = new Validator()
            .Require(request.Items.Count is >= 1 and <= MaxItems, "items", $"must have 1 to {MaxItems} entries")
            .Text(request.ShippingAddress, "shippingAddress", 10, 200)
            .Require(PaymentMethods.IsKnown(method), "payment.method", "is not a payment method")
            .Require(request.PaymentToken.Length <= 64, "payment.token", "is not a token");
        Idempotency.ValidateKey(request.IdempotencyKey);
        var quantities = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < request.Items.Count; i++)
        {
            OrderItem item = request.Items[i];
            validator
                .Require(item.ProductId.Length is >= 1 and <= 64, $"items[{i}].productId", "must have 1 to 64 characters")
                .Require(item.Quantity is >= 1 and <= MaxQuantity, $"items[{i}].quantity", $"must be 1 to {MaxQuantity}");
            if (item.Quantity is < 1 or > MaxQuantity)
                continue;
            // Two lines of one product are one line; together they stay within the bound.
            var sum = quantities.GetValueOrDefault(item.ProductId) + (int)item.Quantity;
            validator.Require(sum <= MaxQuantity, $"items[{i}].quantity", $"all lines of a product together must be at most {MaxQuantity}");
            quantities[item.ProductId] = sum;
        }
        validator.ThrowIfInvalid();
        return quantities;
    }

    private async Task<Dictionary<string, PricedProduct>> PriceAsync(IReadOnlyCollection<string> skus, CancellationToken cancellationToken)
    {
        if (!recentPrices.TryFind(skus, out var products))
        {
            var request = new GetPricesRequest();
            request.Skus.AddRange(skus);
            var asked = time.GetTimestamp();
            var response = await catalog.GetPricesAsync(request, cancellationToken: cancellationToken);
            if (response.UnknownSkus.Count > 0)
                throw new ProblemException(422, "unknown-product", "There is no such product", "One or more products are unknown.")
                {
                    Extensions = new Dictionary<string, string> { ["productIds"] = string.Join(',', response.UnknownSkus) },
                };
            recentPrices.Keep(response.Products, asked);
            products = response.Products.ToDictionary(p => p.Sku, StringComparer.Ordinal);
        }
        if (products.Values.Select(p => p.Currency).Distinct(StringComparer.Ordinal).Count() > 1)
            throw Refusals.Unprocessable("mixed-currencies", "The products have prices in different currencies.");
        return products;
    }

    /// <summary>Puts the order as it is decided in place of the order as it was accepted.</summary>
    private async Task FollowAsync(PlaceOrderResponse response, int waitSeconds, CancellationToken cancellationToken)
    {
        var id = Parse(response.Order.Id);
        try
        {
            response.Order = await DecisionAsync(id, waitSeconds, knownChanges: 0, cancellationToken) ?? OrderMessages.ToMessage(await FindAsync(id, cancellationToken));
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // It is accepted, whatever keeps its caller from hearing more: that is what is told.
        }
    }

    /// <summary>Waits until the order is decided, or for a caller that knows so many changes, changed once more.</summary>
    /// <returns>The order where it was decided here; null: it has to be read.</returns>
    private async Task<OrderMessage?> DecisionAsync(OrderId id, int waitSeconds, int knownChanges, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var atMost = TimeSpan.FromSeconds(Math.Clamp(waitSeconds, 0, MaxWaitSeconds));
        // The whole order is read once, at the end, and where it was decided here not at all.
        for (var looks = 0; atMost - time.GetElapsedTime(started) is var left && left > TimeSpan.Zero; looks++)
        {
            var first = looks == 0;
            var (isOver, outcome) = await waiters.WaitAsync(
                id, left < LookAgain ? left : LookAgain, (order, token) => IsNewsAsync(order, knownChanges, first, token), cancellationToken);
            if (outcome is not null && (user.IsOperator || outcome.UserId == user.Id.ToString()))
                return outcome;
            if (isOver)
                break;
        }
        return null;
    }

    private async Task<PlaceOrderResponse> AcceptAsync(
        PlaceOrderRequest request,
        UserId owner,
        string method,
        Dictionary<string, int> quantities,
        Dictionary<string, PricedProduct> prices,
        string key,
        byte[] hash,
        CancellationToken cancellationToken)
    {
        var id = OrderId.New();
        var now = time.GetUtcNow().ToMicroseconds();
        var lines = quantities.Select((q, i) => new OrderLine
        {
            Position = i + 1,
            Sku = q.Key,
            Name = prices[q.Key].Name,
            Quantity = q.Value,
            UnitPriceMinor = prices[q.Key].PriceMinor,
        }).ToList();
        var total = lines.Sum(l => checked(l.UnitPriceMinor * l.Quantity));
        var order = new Order
        {
            Id = id.Value,
            UserId = owner.Value,
            // Waiting for a human takes a workflow.
            Mode = total > threshold.Value ? OrderModes.Orchestrated : mode.Value,
            Number = NotNumbered,
            Currency = prices.Values.First().Currency,
            TotalMinor = total,
            ShippingAddress = request.ShippingAddress.Trim(),
            PaymentMethod = method,
            PaymentToken = request.PaymentToken.Length > 0 || !PaymentMethods.NeedsCard(method) ? request.PaymentToken : DefaultToken,
            CreatedAt = now,
            Lines = lines,
        };
        order.Accept();
        var items = lines.Select(l => new OrderCreatedItem(l.Sku, l.Quantity, l.UnitPriceMinor)).ToArray();
        var created = OutboxModel.MessageOf(new OrderCreated(id.ToString(), owner.ToString(), items, order.TotalMinor, order.Currency, now, order.Mode, NotNumbered), now);
        var response = new PlaceOrderResponse { Order = OrderMessages.ToMessage(order) };
        var accepted = await db.AcceptAsync(order, created, Operation, key, hash, response.ToByteArray(), cancellationToken);
        if (accepted.KnownResponse is { } answer)
            return await RepeatedAsync(Idempotency.ReadAnswer(accepted.KnownHash!, hash, answer, PlaceOrderResponse.Parser), owner, cancellationToken);
        response.Order.Number = accepted.Number;
        cache.Keep(id, new KnownOrder(OrderLedger.FactsOf(order), response.Order));
        outbox.Set();
        if (order.Mode == OrderModes.Orchestrated)
            workflows.Start(id);
        metrics.Entered(order);
        return response;
    }

    private async Task<PlaceOrderResponse?> FindAnswerAsync(UserId owner, string key, byte[] hash, CancellationToken cancellationToken)
    {
        if (key.Length == 0)
            return null;
        var answer = await db.FindAnswerAsync(owner.Value, Operation, key, hash, PlaceOrderResponse.Parser, cancellationToken);
        return answer is null ? null : await RepeatedAsync(answer, owner, cancellationToken);
    }

    /// <summary>The answer as it was given: it was stored before the order had its number.</summary>
    private async Task<PlaceOrderResponse> RepeatedAsync(PlaceOrderResponse answer, UserId owner, CancellationToken cancellationToken)
    {
        answer.Replayed = true;
        if (answer.Order.Number == NotNumbered)
        {
            var id = Parse(answer.Order.Id).Value;
            answer.Order.Number = await db.Orders.Where(o => o.Id == id && o.UserId == owner.Value).Select(o => o.Number).SingleAsync(cancellationToken);
        }
        return answer;
    }

    /// <summary>Decided, or for a caller that knows so many changes, changed once more.</summary>
    private async Task<bool> IsNewsAsync(OrderId id, int knownChanges, bool first, CancellationToken cancellationToken)
    {
        // Nothing has happened to it in this process; what happens in another one is seen when the caller looks again.
        if (first && cache.Find(id) is { Placed: { } placed } && (user.IsOperator || placed.UserId == user.Id.ToString()))
            return false;
        return await Visible().Where(o => o.Id == id.Value).Select(o => (int?)o.HistoryLength).FirstOrDefaultAsync(cancellationToken) is { } length
            ? length > Math.Max(1, knownChanges)
            : throw NoSuchOrder();
    }

    // One query: a history is a handful of entries, so the product with the lines stays small.
    private async Task<Order> FindAsync(OrderId id, CancellationToken cancellationToken) =>
        await Visible().AsNoTracking().Include(o => o.Lines).Include(o => o.History).AsSingleQuery().FirstOrDefaultAsync(o => o.Id == id.Value, cancellationToken)
            ?? throw NoSuchOrder();

    /// <summary>Changes an order the caller may see, with its row locked; a change of status goes out with it. What an operator does is audited.</summary>
    private async Task<Order> ChangeAsync(OrderId id, Action<Order> change, CancellationToken cancellationToken, Act act)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        cache.Forget(id);
        var owner = user.Id.Value;
        var rows = user.IsOperator
            ? db.Orders.FromSql($"SELECT * FROM orders WHERE id = {id.Value} FOR UPDATE")
            : db.Orders.FromSql($"SELECT * FROM orders WHERE id = {id.Value} AND user_id = {owner} FOR UPDATE");
        var order = await rows.SingleOrDefaultAsync(cancellationToken) ?? throw NoSuchOrder();
        var previous = order.Status;
        change(order);
        if (user.IsOperator)
            await db.AuditAsync(user.Id.ToString(), act.Name, id.ToString(), act.Details, time.GetUtcNow(), cancellationToken);
        if (order.Status != previous)
            db.Publish(OrderLedger.StatusChanged(order, previous), order.UpdatedAt);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        if (order.Status != previous)
        {
            metrics.Entered(order);
            waiters.Decided(id);
        }
        return await FindAsync(id, cancellationToken);
    }

    private IQueryable<Order> Visible()
    {
        var owner = user.Id.Value;
        return user.IsOperator ? db.Orders : db.Orders.Where(o => o.UserId == owner);
    }

    private void RequireOperator()
    {
        _ = user.Id;
        if (!user.IsOperator)
            throw Refusals.Forbidden("Only operators may do this.");
    }

    private static byte[] HashOf(PlaceOrderRequest request)
    {
        var copy = request.Clone();
        copy.IdempotencyKey = "";
        copy.WaitSeconds = 0;
        // A card handed over again has another token each time.
        if (copy.PaymentToken.Length > 16)
            copy.PaymentToken = "";
        return Idempotency.HashOf(copy);
    }

    private static OrderId Parse(string text) => OrderId.TryParse(text, out var id) ? id : throw NoSuchOrder();

    /// <summary>What an operator does to an order.</summary>
    private sealed record Act(string Name, object Details);

    private static ProblemException NoSuchOrder() => Refusals.NotFound("order-not-found", "There is no such order.");
}
