using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>Mails of a stack go to the sink of that stack, whatever else runs on this machine.</summary>
public sealed class MailTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_mail_of_a_confirmed_order_is_in_the_sink_of_its_own_stack()
    {
        var address = $"mail-{Guid.NewGuid():N}@shop.platform.dev";
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var customer = new Customer(gateway, address, "Mail-Passw0rd-1");
        await customer.RegisterAsync("Mail", Cancel);
        var order = new JsonObject { ["items"] = new JsonArray(new JsonObject { ["productId"] = await stack.PlentyAsync(gateway, Cancel), ["quantity"] = 1 }), ["shippingAddress"] = "8 Letter Street" };
        Assert.Equal(OrderFate.Confirmed, (await new OrderFlow(null, TimeSpan.FromMinutes(2), TimeProvider.System).PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, Cancel)).Fate);

        var port = stack.RunFile.Apps.Single(a => a.AppId == "notifications").AppPort!.Value.Number;
        using var http = new HttpClient();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromMinutes(2));
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        // The event is on its way.
        while (!(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/mails"), deadline.Token)).Contains(address, StringComparison.Ordinal))
            await interval.WaitForNextTickAsync(deadline.Token);
    }
}
