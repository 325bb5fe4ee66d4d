using System.Text.Json.Nodes;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Retail;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>The read model of orders on the running stack: events feed it, and a rebuild gives the same rows though its process is killed.</summary>
public sealed class OrderHistoryTests(StackFixture stack)
{
    private const int Orders = 12;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_rebuild_whose_process_is_killed_gives_the_rows_that_events_gave()
    {
        using var gateway = stack.Gateway(Patience);
        using var oper = stack.Operator(gateway);
        using var customer = new Customer(gateway, $"history-{Guid.NewGuid():N}@example.test", "History-Passw0rd-1");
        await customer.RegisterAsync("History", Cancel);
        var sku = await stack.PlentyAsync(gateway, Cancel);
        var flow = new OrderFlow(null, Patience, TimeProvider.System);
        for (var i = 0; i < Orders; i++)
        {
            var order = new JsonObject
            {
                ["items"] = new JsonArray(new JsonObject { ["productId"] = sku, ["quantity"] = 1 + i }),
                ["shippingAddress"] = "9 History Street",
                ["payment"] = new JsonObject { ["token"] = i % 4 == 3 ? "tok_decline" : "tok_approve" },
            };
            Assert.NotEqual(OrderFate.Undecided, (await flow.PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, Cancel)).Fate);
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(Patience);
        using var interval = new PeriodicTimer(Look);
        JsonArray told;
        // The last events are on their way.
        while ((told = await HistoryAsync(customer)).Count < Orders || told.Any(o => (string?)o!["status"] == "PENDING" || (int?)o["pieces"] == 0))
            await interval.WaitForNextTickAsync(deadline.Token);
        Assert.Equal(Orders / 4, told.Count(o => (string?)o!["status"] == "CANCELLED"));

        var before = (int)(await StateAsync(oper))!["generation"]!;
        Assert.True((await oper.SendAsync(HttpMethod.Post, "api/v1/orders/history/rebuild", new JsonObject(), Cancel)).Succeeded);
        if ((await stack.RefreshAsync(Cancel)).Apps.Single(a => a.App == "orders").Pid is { } pid)
            Signals.Send(pid, Signal.Kill);
        while ((await StateAsync(oper)) is var state && ((bool)state!["building"]! || (int)state["generation"]! <= before))
            await interval.WaitForNextTickAsync(deadline.Token);
        Assert.Equal(told.ToJsonString(), (await HistoryAsync(customer)).ToJsonString());
        while ((await stack.RefreshAsync(deadline.Token)).Apps.Single(a => a.App == "orders").State != UnitState.Healthy)
            await interval.WaitForNextTickAsync(deadline.Token);
        await stack.ServesAgainAsync();
    }

    private static async Task<JsonArray> HistoryAsync(Customer customer)
    {
        var answer = await customer.SendAsync(HttpMethod.Get, "api/v1/orders/history?limit=100", null, Cancel);
        Assert.True(answer.Succeeded, answer.ToString());
        return answer.Data!.AsArray();
    }

    private static async Task<JsonNode?> StateAsync(Customer oper)
    {
        var answer = await oper.SendAsync(HttpMethod.Get, "api/v1/orders/history/rebuild", null, Cancel);
        Assert.True(answer.Succeeded, answer.ToString());
        return answer.Data;
    }
}
