using System.Text;
using System.Threading.Channels;
using Dapr;
using Dapr.AspNetCore;
using Dapr.Client;
using Dapr.Jobs.Extensions;
using DaprPlatform.Sdk.Tests.AspNetCore;
using Microsoft.AspNetCore.Builder;

namespace DaprPlatform.Sdk.Tests.Daprd;

public sealed record Order(string Id, long Cents);

/// <summary>An app made with the SDK, and the embedded runtime beside it.</summary>
public sealed class RealSidecar : IAsyncLifetime
{
    TestApp _app = null!;
    int _refused;

    internal SidecarProcess Process { get; private set; } = null!;

    public DaprClient Client { get; private set; } = null!;

    /// <summary>What the app's endpoints got, each with a name for the endpoint.</summary>
    public Channel<(string Endpoint, Order Order)> Delivered { get; } = Channel.CreateUnbounded<(string, Order)>();

    /// <summary>Jobs the app got.</summary>
    public Channel<(string Name, string Payload)> Jobs { get; } = Channel.CreateUnbounded<(string, string)>();

    public async ValueTask InitializeAsync()
    {
        _app = await TestApp.StartAsync(app =>
        {
            app.UseCloudEvents();
            app.MapSubscribeHandler();
            app.MapPost("/orders", (Order order) => Deliver("orders", order)).WithTopic("pubsub", "orders");
            app.MapPost("/large", (Order order) => Deliver("large", order))
                .WithTopic(new TopicOptions { PubsubName = "pubsub", Name = "routed", Match = "event.data.cents > 100", Priority = 1 });
            app.MapPost("/small", (Order order) => Deliver("small", order)).WithTopic("pubsub", "routed");
            app.MapPost("/bulk", [BulkSubscribe("bulk", 10, 50)] (BulkSubscribeMessage<BulkMessageModel<Order>> message) =>
            {
                foreach (var entry in message.Entries)
                    Deliver("bulk", entry.Event.Data);
                return new BulkSubscribeAppResponse([.. message.Entries.Select(e => new BulkSubscribeAppResponseEntry(e.EntryId, BulkSubscribeAppResponseStatus.SUCCESS))]);
            }).WithTopic("pubsub", "bulk");
            app.MapDaprScheduledJobHandler((string name, ReadOnlyMemory<byte> payload) => Job(name, Encoding.UTF8.GetString(payload.Span)));
            app.MapPost("/double", (Order order) => order with { Cents = order.Cents * 2 });
        });
        Process = await SidecarProcess.StartAsync(
            "Shop",
            _app.Http.BaseAddress!.Port,
            new Dictionary<string, string>
            {
                ["state.yaml"] = Component("store", "state.in-memory"),
                ["lock.yaml"] = Component("locks", "lock.redis", "redisHost", "localhost:6379"),
                ["configuration.yaml"] = Component("config", "configuration.redis", "redisHost", "localhost:6379"),
                ["pubsub.yaml"] = Component("pubsub", "pubsub.in-memory"),
                ["secrets.yaml"] = Component("vault", "secretstores.local.file", "secretsFile", "$DIR/secrets.json"),
                ["secrets.json"] = """{ "db": { "password": "pw" }, "plain": "x" }""",
            },
            TestContext.Current.CancellationToken);
        Client = Process.Client();
    }

    void Deliver(string endpoint, Order order) => Delivered.Writer.TryWrite((endpoint, order));

    // A job of this name is taken the second time only.
    void Job(string name, string payload)
    {
        Jobs.Writer.TryWrite((name, payload));
        if (name == "flaky" && _refused++ == 0)
            throw new InvalidOperationException("not yet");
    }

    static string Component(string name, string type, string? key = null, string? value = null) => $"""
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata:
          name: {name}
        spec:
          type: {type}
          version: v1
          metadata: {(key is null ? "[]" : $"[{{name: {key}, value: '{value}'}}]")}
        """;

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (Process is not null)
            await Process.DisposeAsync();
        await _app.DisposeAsync();
    }
}
