using System.Diagnostics;
using System.Text;
using Dapr.Proto.Runtime.V1;
using Google.Protobuf;

namespace DaprPlatform.Benchmarks.BuildingBlocks;

/// <summary>From the first publish to the last delivery: what is accepted and not delivered counts for nothing.</summary>
internal static class PublishLoad
{
    private const string PubSub = "pubsub";
    private const int BulkSize = 100;
    private static readonly ByteString Payload = ByteString.CopyFrom(Encoding.UTF8.GetBytes($"{{\"text\":\"{new string('x', 200)}\"}}"));

    public static async Task<IReadOnlyList<Row>> RunAsync(Target target, Deliveries deliveries)
    {
        var channels = Enumerable.Range(0, target.Clients).Select(_ => target.Channel(target.GrpcPort)).ToList();
        var clients = channels.ConvertAll(c => new Dapr.Proto.Runtime.V1.Dapr.DaprClient(c));
        var single = new PublishEventRequest { PubsubName = PubSub, Topic = BenchApp.Topic, Data = Payload, DataContentType = "application/json" };
        var connections = Enumerable.Range(0, target.Clients).Select(_ => new Connection(target.HttpPort)).ToList();
        var request = Connection.Request("POST", $"/v1.0/publish/{PubSub}/{BenchApp.Topic}", Payload.ToStringUtf8());
        var rows = new List<Row>
        {
            await DeliveredAsync("publish to delivered, HTTP", target, deliveries, 1, (caller, _) => connections[caller].CallAsync(request)),
            await DeliveredAsync("publish to delivered, gRPC", target, deliveries, 1, async (caller, _) => await clients[caller].PublishEventAsync(single)),
            await DeliveredAsync($"publish to delivered, gRPC in bulk of {BulkSize}", target, deliveries, BulkSize, async (caller, i) =>
            {
                var bulk = new BulkPublishRequest { PubsubName = PubSub, Topic = BenchApp.Topic };
                for (var e = 0; e < BulkSize; e++)
                    bulk.Entries.Add(new BulkPublishRequestEntry { EntryId = $"{e}", Event = Payload, ContentType = "application/json" });
                var answer = await clients[caller].BulkPublishEventAlpha1Async(bulk);
                if (answer.FailedEntries.Count > 0)
                    throw new InvalidOperationException(answer.FailedEntries[0].Error);
            }),
        };
        connections.ForEach(c => c.Dispose());
        channels.ForEach(c => c.Dispose());
        return rows;
    }

    private static async Task<Row> DeliveredAsync(string name, Target target, Deliveries deliveries, int eventsPerCall, Func<int, int, Task> publish)
    {
        await PublishAsync(target.Seconds / 3);
        var (published, seconds) = await PublishAsync(target.Seconds);
        return new Row($"{name} /s", published / seconds);

        async Task<(long Published, double Seconds)> PublishAsync(double limit)
        {
            var before = deliveries.Count;
            var calls = 0L;
            var start = Stopwatch.GetTimestamp();
            await Measure.RunAsync(target.Clients, limit, async (caller, i) =>
            {
                await publish(caller, i);
                Interlocked.Increment(ref calls);
            });
            var expected = calls * eventsPerCall;
            var patience = Stopwatch.GetTimestamp();
            while (deliveries.Count - before < expected)
            {
                if (Stopwatch.GetElapsedTime(Math.Max(patience, deliveries.Last)) > TimeSpan.FromSeconds(30))
                    throw new TimeoutException($"{expected} published, {deliveries.Count - before} delivered");
                await Task.Delay(1);
            }

            return (expected, Stopwatch.GetElapsedTime(start, deliveries.Last).TotalSeconds);
        }
    }
}
