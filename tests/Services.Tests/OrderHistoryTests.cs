using System.Text.Json;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Orders.Data;
using DaprPlatform.Orders.Domain;
using DaprPlatform.Orders.History;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Services.Tests.Fixtures;
using DaprPlatform.Workflows;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using Delivery = Dapr.Proto.Runtime.V1.TopicEventResponse.Types.TopicEventResponseStatus;
using OrderItem = DaprPlatform.Contracts.Orders.OrderItem;
using OrderMessage = DaprPlatform.Contracts.Orders.Order;

namespace DaprPlatform.Services.Tests;

/// <summary>The read model of orders: what events told of them, however often and in whatever order, is what a rebuild makes of the orders themselves.</summary>
public sealed class OrderHistoryTests(OrdersFixture orders) : IClassFixture<OrdersFixture>, IAsyncLifetime
{
    private const int Batch = 2;
    private readonly UserId _user = UserId.New();
    private readonly UserId _operator = UserId.New();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // The migration asks for the first rebuild.
    public async ValueTask InitializeAsync() => await FinishAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task A_rebuild_makes_the_rows_that_events_made()
    {
        await LivesAsync(9);
        await TellAsync(seed: 1);
        await TellAsync(seed: 2);
        var told = await RowsAsync();
        Assert.Equal(9, told.Count);
        Assert.Contains(told, r => r.Contains("CANCELLED", StringComparison.Ordinal));
        Assert.Contains(told, r => r.Contains("\"refunded_minor\": 500", StringComparison.Ordinal));

        var before = (await StateAsync()).Active;
        await BeginAsync();
        await FinishAsync();
        Assert.Equal(before + 1, (await StateAsync()).Active);
        Assert.Equal(told, await RowsAsync());
        // And what events tell once more changes nothing.
        await TellAsync(seed: 3);
        Assert.Equal(told, await RowsAsync());
    }

    [Fact]
    public async Task Events_that_come_while_it_is_built_are_in_it()
    {
        await LivesAsync(6);
        await BeginAsync();
        Assert.True(await StepAsync());
        var telling = Task.Run(() => TellAsync(seed: 4), Cancel);
        await LivesAsync(5);
        while (await StepAsync())
        {
        }
        await telling;
        await TellAsync(seed: 5);
        var told = await RowsAsync();
        Assert.Equal(11, told.Count);
        await BeginAsync();
        await FinishAsync();
        Assert.Equal(told, await RowsAsync());
    }

    [Fact]
    public async Task A_rebuild_whose_process_died_goes_on_where_it_was_and_readers_see_the_old_rows_until_its_end()
    {
        await LivesAsync(7);
        await TellAsync(seed: 6);
        var told = await RowsAsync();
        await BeginAsync();
        Assert.True(await StepAsync());
        var state = await StateAsync();
        Assert.Equal(Batch, state.Built);
        Assert.Equal(told, await RowsAsync());

        // Killed between the rows and the note of how far it is, which are one transaction, nothing is there; behind both, they come again.
        await orders.AsAsync<OrdersDb, int>(async db =>
        {
            var again = await db.Orders.AsNoTracking().Where(o => o.Id <= state.Position!.Value).OrderBy(o => o.Id).Include(o => o.Lines).Include(o => o.History).ToListAsync(Cancel);
            await new SummaryStore(db).BuildAsync(state.Building!.Value, [.. again.Select(OrderSummary.From)], Cancel);
            return 0;
        });
        await FinishAsync();
        Assert.Equal(told, await RowsAsync());
        Assert.Equal(0, await orders.AsAsync<OrdersDb, int>(async db =>
            (await db.Database.SqlQuery<int>($"""SELECT count(*)::int AS "Value" FROM order_summaries WHERE generation <> (SELECT active FROM order_summary_state)""").ToListAsync(Cancel))[0]));
    }

    [Fact]
    public async Task A_malformed_event_among_others_is_dropped_alone()
    {
        var order = await PlaceAsync();
        var events = await EventsAsync(OrderCreated.Topic);
        var request = Request(OrderCreated.Topic, events);
        request.Entries.Insert(0, new TopicEventBulkRequestEntry { EntryId = "bad", CloudEvent = new TopicEventCERequest { Id = "bad", Data = ByteString.CopyFromUtf8("{\"order_id\":17}") } });
        request.Entries.Add(new TopicEventBulkRequestEntry { EntryId = "id", CloudEvent = new TopicEventCERequest { Id = "id", Data = ByteString.CopyFromUtf8(Unreadable()) } });
        request.Entries.Add(new TopicEventBulkRequestEntry { EntryId = "raw", Bytes = ByteString.CopyFromUtf8("raw") });
        var call = new CallbackCall();
        var response = await orders.Services.GetRequiredService<AppCallbackService>().OnBulkTopicEvent(request, call);
        Assert.Equal(["bad", "id", "raw"], response.Statuses.Where(s => s.Status == Delivery.Drop).Select(s => s.EntryId));
        Assert.Equal(events.Count, response.Statuses.Count(s => s.Status == Delivery.Success));
        Assert.NotEmpty(call.ResponseTrailers);
        Assert.Contains(await RowsAsync(), r => r.Contains(order.Value.ToString(), StringComparison.Ordinal));

        static string Unreadable() =>
            JsonSerializer.Serialize(new OrderCreated("no order", UserId.New().ToString(), [], 1, "USD", DateTimeOffset.UnixEpoch), EventJson.Options);
    }

    [Fact]
    public async Task A_user_reads_the_own_history_page_by_page_and_operators_the_figures()
    {
        await LivesAsync(5);
        await TellAsync(seed: 7);
        var first = await ListAsync(new ListHistoryRequest { Page = new Contracts.Common.PageRequest { Page = 1, Limit = 3 } });
        Assert.Equal((5, 3), (first.Page.Total, first.Orders.Count));
        var second = await ListAsync(new ListHistoryRequest { Page = new Contracts.Common.PageRequest { Limit = 3, Cursor = first.Page.NextCursor } });
        Assert.Equal([5, 4, 3, 2, 1], first.Orders.Concat(second.Orders).Select(o => o.Number));
        Assert.All(first.Orders, o => Assert.Equal("PENDING", o.Timeline[0].Status));
        Assert.Empty((await orders.AsAsync<IOrderHistory, ListHistoryResponse>(UserId.New(), h => h.ListHistoryAsync(new ListHistoryRequest(), Cancel))).Orders);

        var request = new GetStatisticsRequest { From = At(-1), To = At(1), GroupBy = "hour" };
        var periods = (await orders.AsAsync<IOrderHistory, GetStatisticsResponse>(_operator, h => h.GetStatisticsAsync(request, Cancel), Roles.Operator)).Periods;
        Assert.True(periods.Sum(p => p.Orders) >= 5);
        Assert.True(periods.Sum(p => p.Confirmed + p.Cancelled) >= 3);
        Assert.All(periods, p => Assert.Equal("USD", p.Currency));
        Assert.Equal(403, (await Assert.ThrowsAsync<ProblemException>(() => orders.AsAsync<IOrderHistory, GetStatisticsResponse>(_user, h => h.GetStatisticsAsync(request, Cancel)))).Status);
        Assert.Equal(403, (await Assert.ThrowsAsync<ProblemException>(() => orders.AsAsync<IOrderHistory, RebuildState>(_user, h => h.RebuildHistoryAsync(new RebuildHistoryRequest(), Cancel)))).Status);
        request.GroupBy = "century";
        Assert.Equal(400, (await Assert.ThrowsAsync<ProblemException>(() => orders.AsAsync<IOrderHistory, GetStatisticsResponse>(_operator, h => h.GetStatisticsAsync(request, Cancel), Roles.Operator))).Status);

        Timestamp At(int days) => Timestamp.FromDateTimeOffset(orders.Clock.GetUtcNow().AddDays(days));
    }

    /// <summary>Orders of every fate, with the changes that the workflow and operators make.</summary>
    private async Task LivesAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var order = await PlaceAsync();
            if (i % 3 == 0)
                continue;
            if (i % 3 == 1)
            {
                await LedgerAsync(ledger => ledger.CancelAsync(order, CancelReasons.OutOfStock, [], Cancel));
                continue;
            }
            await LedgerAsync(ledger => ledger.ConfirmAsync(order, PaymentId.New().ToString(), Cancel));
            foreach (var status in (string[])["PROCESSING", "SHIPPED"])
                await orders.AsAsync<OrderBook, OrderMessage>(_operator, book => book.UpdateStatusAsync(new UpdateStatusRequest { OrderId = order.ToString(), Status = status }, Cancel), Roles.Operator);
            await orders.AsAsync<PaymentRefundedHandler, EventOutcome>(handler => handler.HandleAsync(
                new PaymentRefunded(order.ToString(), "PAY-1", "REF-1", _user.ToString(), 500, 500, "USD", null, orders.Clock.GetUtcNow()), new EventContext("1", "", ""), Cancel));
        }
    }

    private async Task<OrderId> PlaceAsync()
    {
        var request = new PlaceOrderRequest { ShippingAddress = "1 History Street, Pastville" };
        request.Items.Add(new OrderItem { ProductId = OrdersFixture.Sku, Quantity = 2 });
        var placed = await orders.AsAsync<OrderBook, PlaceOrderResponse>(_user, book => book.PlaceOrderAsync(request, Cancel));
        Assert.True(OrderId.TryParse(placed.Order.Id, out var id));
        return id;
    }

    private Task LedgerAsync(Func<IOrderLedger, Task> use) => orders.AsAsync<IOrderLedger, int>(async ledger =>
    {
        await use(ledger);
        return 0;
    });

    /// <summary>Delivers all events of the user's orders in bulk, each twice, those of both topics in batches of their own and in an order of the seed.</summary>
    private async Task TellAsync(int seed)
    {
        var random = new Random(seed);
        var batches = new List<TopicEventBulkRequest>();
        foreach (var topic in (string[])[OrderCreated.Topic, OrderStatusChanged.Topic])
        {
            var events = await EventsAsync(topic);
            var twice = events.Concat(events).ToArray();
            random.Shuffle(twice);
            batches.AddRange(twice.Chunk(4).Select(c => Request(topic, c)));
        }
        var shuffled = batches.ToArray();
        random.Shuffle(shuffled);
        // Partitions are delivered side by side.
        await Parallel.ForEachAsync(shuffled, new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Cancel }, async (request, _) =>
        {
            var response = await orders.Services.GetRequiredService<AppCallbackService>().OnBulkTopicEvent(request, new CallbackCall());
            Assert.All(response.Statuses, s => Assert.Equal(Delivery.Success, s.Status));
        });
    }

    private static TopicEventBulkRequest Request(string topic, IEnumerable<OutboxMessage> events)
    {
        var request = new TopicEventBulkRequest { PubsubName = PubSub.Name, Topic = topic, Path = "/events/" + topic };
        request.Entries.AddRange(events.Select(e => new TopicEventBulkRequestEntry
        {
            EntryId = Guid.NewGuid().ToString(),
            CloudEvent = new TopicEventCERequest { Id = e.EventId.ToString(), Type = e.Type, Source = "orders", Data = ByteString.CopyFromUtf8(e.Data) },
        }));
        return request;
    }

    private Task<List<OutboxMessage>> EventsAsync(string topic)
    {
        var mine = _user.ToString();
        return orders.AsAsync<OrdersDb, List<OutboxMessage>>(db =>
            db.Set<OutboxMessage>().AsNoTracking().Where(m => m.Topic == topic && m.Data.Contains(mine)).OrderBy(m => m.Id).ToListAsync(Cancel));
    }

    private Task<ListHistoryResponse> ListAsync(ListHistoryRequest request) =>
        orders.AsAsync<IOrderHistory, ListHistoryResponse>(_user, h => h.ListHistoryAsync(request, Cancel));

    private Task<SummaryState> StateAsync() => orders.AsAsync<SummaryStore, SummaryState>(store => store.StateAsync(Cancel));

    private Task BeginAsync() =>
        orders.AsAsync<IOrderHistory, RebuildState>(_operator, h => h.RebuildHistoryAsync(new RebuildHistoryRequest(), Cancel), Roles.Operator);

    private Task<bool> StepAsync() => orders.AsAsync<OrdersDb, bool>(db => new SummaryBuilder(db, new SummaryStore(db)) { BatchSize = Batch }.StepAsync(Cancel));

    private async Task FinishAsync()
    {
        while (await StepAsync())
        {
        }
    }

    /// <summary>The user's rows as readers see them.</summary>
    private Task<List<string>> RowsAsync()
    {
        var mine = _user.Value;
        return orders.AsAsync<OrdersDb, List<string>>(db => db.Database.SqlQuery<string>(
            $"""
             SELECT (to_jsonb(s) - 'generation')::text AS "Value" FROM order_summaries AS s
              WHERE generation = (SELECT active FROM order_summary_state) AND user_id = {mine} ORDER BY order_id
             """).ToListAsync(Cancel));
    }
}
