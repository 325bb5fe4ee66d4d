using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.DeadLetters;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>An event that nobody can read: put aside, shown with its reason, and published again when somebody says so.</summary>
public sealed class DeadLetterTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_poisoned_event_is_listed_shown_and_replayed()
    {
        var id = Guid.NewGuid().ToString();
        using var sidecar = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{stack.Status.Apps.Single(a => a.App == "payments").DaprHttpPort}") };
        using var poison = new StringContent(
            $$$"""{"specversion":"1.0","id":"{{{id}}}","source":"payments","type":"payments.v1.payment_processed","datacontenttype":"application/json","data":{"order_id":17}}""",
            Encoding.UTF8, "application/cloudevents+json");
        Assert.Equal(HttpStatusCode.NoContent, (await sidecar.PostAsync("/v1.0/publish/pubsub/payment_processed", poison, Cancel)).StatusCode);

        var letter = (await LettersAsync(id, 1))[0];
        Assert.Equal(("payment_processed", "payments.v1.payment_processed", null), (letter.Topic, letter.Type, letter.ReplayedAt));
        Assert.StartsWith("payment_processed.dlq/", letter.Id, StringComparison.Ordinal);
        // Recorded where it was given up: dropped by whoever got it first, which no further attempt would have helped.
        Assert.Contains(letter.Consumer, new[] { "orders", "webhooks" });
        Assert.Equal(1, letter.Attempts);
        Assert.Contains("The data is not that of a PaymentProcessed", letter.Cause, StringComparison.Ordinal);
        Assert.StartsWith("payment_processed/", letter.From, StringComparison.Ordinal);
        Assert.Equal("payments", letter.Source);
        var shown = await stack.PlatformAsync(["dlq", "show", letter.Id], Cancel);
        Assert.Contains("The data is not that of a", shown, StringComparison.Ordinal);
        var json = await stack.PlatformAsync(["dlq", "show", letter.Id, "--json"], Cancel);
        Assert.Equal(17, (int?)JsonNode.Parse(json[json.IndexOf('{', StringComparison.Ordinal)..(json.LastIndexOf('}') + 1)])!["event"]!["data"]!["order_id"]);

        Assert.Contains("1 replayed", await stack.PlatformAsync(["dlq", "replay", letter.Id], Cancel), StringComparison.Ordinal);
        // As poisonous as before: it comes back as another letter, and the first says that it was replayed.
        var letters = await LettersAsync(id, 2);
        Assert.Single(letters, l => l.ReplayedAt is not null && l.Id == letter.Id);
        Assert.All(letters, l => Assert.Equal(1, l.Attempts));
        Assert.DoesNotContain(letter.Id, await stack.PlatformAsync(["dlq", "list"], Cancel), StringComparison.Ordinal);
    }

    private async Task<List<DeadLetter>> LettersAsync(string eventId, int count)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromMinutes(1));
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        while (true)
        {
            var output = await stack.PlatformAsync(["dlq", "list", "--all", "--json"], deadline.Token);
            var letters = JsonSerializer.Deserialize<List<DeadLetter>>(output[output.IndexOf('[', StringComparison.Ordinal)..(output.LastIndexOf(']') + 1)], ControlJson.Options)!
                .Where(l => l.EventId == eventId).ToList();
            if (letters.Count >= count)
                return letters;
            await interval.WaitForNextTickAsync(deadline.Token);
        }
    }
}
