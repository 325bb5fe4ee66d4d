using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>The commands of the documents, typed on the running stack.</summary>
public sealed partial class DocumentedCommandTests(StackFixture stack)
{
    private static readonly string[] Documents = ["getting-started.md", "operations.md"];

    // What starts, ends or takes apart is typed by other tests, on stacks or orders of their own.
    private static readonly Dictionary<string, string> Elsewhere = new()
    {
        ["up"] = "PublicationTests", ["down"] = "PublicationTests", ["stop"] = "CommandTests", ["restart"] = "CommandTests", ["console user"] = "CommandTests",
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_command_for_a_running_stack_does_what_its_document_lets_expect()
    {
        Assert.SkipUnless(Directory.Exists(Path.Combine(stack.Root, "docs")), "skipped: a publication has no documents");
        var order = await OrderAsync();
        var lines = Documents.SelectMany(d => Blocks().Matches(File.ReadAllText(Path.Combine(stack.Root, "docs", d)))).SelectMany(m => m.Groups[1].Value.Split('\n')).Distinct();
        var typed = 0;
        foreach (var line in lines.Where(l => !Elsewhere.Keys.Any(k => l.StartsWith($"./platform {k}", StringComparison.Ordinal))))
        {
            var words = line.Replace("ORDER", order, StringComparison.Ordinal).Replace("http://localhost:8080", stack.GatewayUrl, StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);
            ToolResult result;
            if (words is ["./platform", ..])
                result = await stack.TryPlatformAsync(words[1..], Cancel);
            else if (words is ["curl", ..] && line.Contains("localhost", StringComparison.Ordinal))
                result = await ToolRun.RunAsync(words[0], words[1..], stack.Root, Cancel, limit: TimeSpan.FromMinutes(2));
            else
                continue;
            // The doctor looks at the ports of the run file, which are somebody else's business here; the order has ended, and whoever would terminate it is told so.
            Assert.True(result.Succeeded || words is ["./platform", "doctor"] || (words is ["./platform", "workflow", "terminate", ..] && result.Output.Contains($"{order} has ended", StringComparison.Ordinal)), $"{line} ended with {result.ExitCode}:\n{result.Output}");
            typed++;
        }

        Assert.True(typed >= 15, $"{typed} commands were found.");
    }

    private async Task<string> OrderAsync()
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        var sku = await stack.PlentyAsync(gateway, Cancel);
        using var customer = new Customer(gateway, $"documented-{Guid.NewGuid():N}@example.test", "Documented-Passw0rd-1");
        await customer.RegisterAsync("Documented", Cancel);
        var order = new JsonObject
        {
            ["items"] = new JsonArray(new JsonObject { ["productId"] = sku, ["quantity"] = 1 }),
            ["shippingAddress"] = "1 Manual Street, Page City",
        };
        var outcome = await new OrderFlow(null, TimeSpan.FromMinutes(2), TimeProvider.System).PlaceAsync(customer, "documented", Guid.NewGuid().ToString(), order, Cancel);
        Assert.True(outcome.Fate == OrderFate.Confirmed, outcome.ToString());
        return outcome.OrderId!;
    }

    [GeneratedRegex("```bash\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Blocks();
}
