using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>What operators see of the workflows behind orders.</summary>
public sealed class WorkflowCommandTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_order_can_be_found_and_its_steps_followed()
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var customer = new Customer(gateway, $"workflow-{Guid.NewGuid():N}@example.test", "Workflow-Passw0rd-1");
        await customer.RegisterAsync("Workflow", Cancel);
        var order = new JsonObject
        {
            ["items"] = new JsonArray(new JsonObject { ["productId"] = await stack.PlentyAsync(gateway, Cancel), ["quantity"] = 1 }),
            ["shippingAddress"] = "7 Workflow Street",
        };
        var id = (await new OrderFlow(null, TimeSpan.FromMinutes(2), TimeProvider.System).PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, Cancel)).OrderId!;

        // The order is confirmed one turn before its workflow has ended.
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        while (await StatusAsync(id) != "COMPLETED")
            await interval.WaitForNextTickAsync(Cancel);
        using var list = Json(await stack.PlatformAsync(["workflow", "list", "--app", "orders", "--json", "--status", "COMPLETED"], Cancel));
        Assert.NotEqual(0, list.RootElement.GetArrayLength());
        using var history = Json(await stack.PlatformAsync(["workflow", "history", id, "--app", "orders", "--json"], Cancel));
        var kinds = history.RootElement.EnumerateArray().Select(s => s.GetProperty("kind").GetString()).ToArray();
        Assert.Equal(("start", "end"), (kinds[0], kinds[^1]));
        Assert.Contains("activity", kinds);
        Assert.Contains(id, await stack.PlatformAsync(["workflow", "history", id, "--app", "orders"], Cancel), StringComparison.Ordinal);
    }

    private async Task<string?> StatusAsync(string id)
    {
        using var shown = Json(await stack.PlatformAsync(["workflow", "show", id, "--app", "orders", "--json"], Cancel));
        return shown.RootElement.GetProperty("status").GetString();
    }

    private static JsonDocument Json(string output)
    {
        var start = output.IndexOfAny(['[', '{']);
        return JsonDocument.Parse(output[start..(output.LastIndexOfAny([']', '}']) + 1)]);
    }
}
