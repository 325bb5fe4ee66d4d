using System.Net;
using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.OpsConsole.Tests;

public sealed class DeadLetterApiTests(ConsoleWorld world) : IClassFixture<ConsoleWorld>
{
    [Fact]
    public async Task A_dead_letter_is_looked_at_edited_replayed_under_its_own_id_and_dropped()
    {
        var letter = await world.UntilToldAsync("deadLetters", _ => LetterAsync("bad"), () => world.DoneAsync("POST", "/v1.0/publish/events/broken", """{"card":"bad"}"""));
        var id = (string)letter["id"]!;
        Assert.Equal("broken", (string?)letter["topic"]);
        Assert.Equal(id, (string?)(await world.GetAsync($"dead-letters/{Uri.EscapeDataString(id)}"))["id"]);

        var edited = letter["event"]!.DeepClone();
        edited["data"]!["card"] = "good";
        edited["id"] = "another";
        // Nobody takes it yet, so it comes back as a letter of its own: edited, and still the same event.
        var back = await world.UntilToldAsync("deadLetters", _ => LetterAsync("good"), async () =>
        {
            var (status, answer) = await world.SendAsync("POST", "dead-letters/replay", new JsonObject { ["ids"] = new JsonArray(id), ["event"] = edited }.ToJsonString());
            Assert.Equal((HttpStatusCode.OK, 1), (status, (int)answer!["replayed"]!));
        });
        Assert.Equal((string?)letter["eventId"], (string?)back["eventId"]);
        Assert.DoesNotContain((await world.GetAsync("dead-letters")).AsArray(), l => (string?)l!["id"] == id);
        Assert.NotNull((await world.GetAsync("dead-letters?all=true")).AsArray().First(l => (string?)l!["id"] == id)!["replayedAt"]);

        var dropped = await world.SendAsync("POST", "dead-letters/drop", new JsonObject { ["ids"] = new JsonArray((string)back["id"]!) }.ToJsonString());
        Assert.Equal((HttpStatusCode.OK, 1), (dropped.Status, (int)dropped.Body!["dropped"]!));
        Assert.DoesNotContain((await world.GetAsync("dead-letters")).AsArray(), l => (string?)l!["id"] == (string?)back["id"]);
        Assert.NotNull((await world.GetAsync($"dead-letters/{Uri.EscapeDataString((string)back["id"]!)}"))["droppedAt"]);
    }

    [Fact]
    public async Task What_is_not_there_or_not_said_is_refused()
    {
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", "dead-letters/broken.dlq%2F0%2F999")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("POST", "dead-letters/replay", """{"ids":["broken.dlq/0/999"]}""")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("POST", "dead-letters/drop", """{"ids":["broken.dlq/0/999"]}""")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("POST", "dead-letters/replay", "{}")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("POST", "dead-letters/drop", """{"ids":[]}""")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("POST", "dead-letters/replay", """{"ids":["a","b"],"event":{}}""")).Status);
    }

    [Fact]
    public async Task The_stream_tells_how_many_there_are()
    {
        var before = (await world.GetAsync("dead-letters")).AsArray().Count;
        await world.ToldAsync("deadLetters", d => (int)d["count"]! > before, () => world.DoneAsync("POST", "/v1.0/publish/events/broken", """{"card":"counted"}"""));
    }

    private async Task<JsonNode?> LetterAsync(string card) => (await world.GetAsync("dead-letters")).AsArray().FirstOrDefault(l => (string?)l!["event"]!["data"]!["card"] == card);
}
