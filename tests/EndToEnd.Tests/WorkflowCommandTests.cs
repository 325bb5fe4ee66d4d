using System.Text.Json;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>What operators see of the workflows behind orders.</summary>
public sealed class WorkflowCommandTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_order_can_be_found_and_its_steps_followed()
    {
        using var list = Json(await stack.PlatformAsync(["workflow", "list", "--json", "--status", "COMPLETED", "--limit", "1"], Cancel));
        // The walk may not have run yet; then there is nothing to look at.
        Assert.SkipWhen(list.RootElement.GetArrayLength() == 0, "no order has been placed");
        var id = list.RootElement[0].GetProperty("id").GetString()!;

        using var shown = Json(await stack.PlatformAsync(["workflow", "show", id, "--json"], Cancel));
        Assert.Equal("COMPLETED", shown.RootElement.GetProperty("status").GetString());
        using var history = Json(await stack.PlatformAsync(["workflow", "history", id, "--json"], Cancel));
        var kinds = history.RootElement.EnumerateArray().Select(s => s.GetProperty("kind").GetString()).ToArray();
        Assert.Equal(("start", "end"), (kinds[0], kinds[^1]));
        Assert.Contains("activity", kinds);
        Assert.Contains(id, await stack.PlatformAsync(["workflow", "history", id], Cancel), StringComparison.Ordinal);
    }

    private static JsonDocument Json(string output)
    {
        var start = output.IndexOfAny(['[', '{']);
        return JsonDocument.Parse(output[start..(output.LastIndexOfAny([']', '}']) + 1)]);
    }
}
