using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Pluggable.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Components.Tests;

/// <summary>Components that are programs of their own, as apps meet them: through the API of a whole sidecar.</summary>
public sealed class PluggableApiTests : IAsyncLifetime
{
    private const string Parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("plug-");
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
    private readonly ConcurrentQueue<IReadOnlyDictionary<string, string>> _ticks = new();
    private readonly SemaphoreSlim _ticked = new(0);
    private WebApplication _app = null!;
    private ComponentProgram _program = null!;
    private Engine _engine = null!;
    private DaprSidecar _sidecar = null!;

    public async ValueTask InitializeAsync()
    {
        var sockets = _folder.CreateSubdirectory("s").FullName;
        _program = await ComponentProgram.StartAsync(Path.Combine(sockets, "own.sock"), mostOperations: 1, finalReflection: true);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var appPort = DaprSidecar.FreePort();
        builder.WebHost.UseUrls($"http://127.0.0.1:{appPort}");
        _app = builder.Build();
        _app.MapMethods("/mybindings", ["OPTIONS", "POST"], context =>
        {
            if (context.Request.Method == "POST")
            {
                _ticks.Enqueue(context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase));
                _ticked.Release();
            }

            return Task.CompletedTask;
        });
        await _app.StartAsync();
        var resources = _folder.CreateSubdirectory("r").FullName;
        foreach (var kind in new[] { "state", "bindings", "pubsub" })
            await File.WriteAllTextAsync(Path.Combine(resources, kind + ".yaml"), $"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: my{kind}\nspec:\n  type: {kind}.own\n  version: v1\n  initTimeout: 60s\n  metadata: []\n");
        _engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = Path.Combine(_folder.FullName, "d") });
        _sidecar = new DaprSidecar(_engine, new SidecarOptions
        {
            AppId = "plugged",
            AppPort = appPort,
            HttpPort = DaprSidecar.FreePort(),
            GrpcPort = DaprSidecar.FreePort(),
            MetricsPort = DaprSidecar.FreePort(),
            ListenAddresses = ["127.0.0.1"],
            MetricsListenAddress = "127.0.0.1",
            InternalGrpcListenAddress = "127.0.0.1",
            ResourcesPaths = [resources],
            Environment = new Dictionary<string, string> { ["DAPR_COMPONENTS_SOCKETS_FOLDER"] = sockets },
        }, NullLoggerFactory.Instance);
        await _sidecar.StartAsync();
        await _sidecar.WaitUntilHealthyAsync().WaitAsync(Patience);
        _http.BaseAddress = new Uri($"http://127.0.0.1:{_sidecar.Options.HttpPort}");
    }

    public async ValueTask DisposeAsync()
    {
        await _sidecar.DisposeAsync();
        await _engine.DisposeAsync();
        await _program.DisposeAsync();
        await _app.DisposeAsync();
        _http.Dispose();
        _ticked.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_transaction_of_more_operations_than_the_program_takes_is_refused()
    {
        Assert.Equal(HttpStatusCode.NoContent, (await TransactAsync("""{"operations":[{"operation":"upsert","request":{"key":"a","value":1}}]}""")).Status);

        var (status, body) = await TransactAsync("""{"operations":[{"operation":"upsert","request":{"key":"a","value":1}},{"operation":"delete","request":{"key":"a"}}],"metadata":{"partitionKey":"p"}}""");

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("ERR_STATE_STORE_TOO_MANY_TRANSACTIONS", body!["errorCode"]!.GetValue<string>());
        Assert.Equal("the transaction contains 2 operations, which is more than what the state store supports: 1", body["message"]!.GetValue<string>());
        var info = body["details"]!.AsArray().Single(d => d!["@type"]!.GetValue<string>().EndsWith("ErrorInfo", StringComparison.Ordinal))!;
        Assert.Equal("""{"currentOpsTransaction":"2","maxOpsPerTransaction":"1"}""", info["metadata"]!.ToJsonString());
    }

    [Fact]
    public async Task A_query_that_the_program_cannot_run_says_why()
    {
        using var content = new StringContent("""{"filter":{"IN":{"state":["CA"]}},"sort":[]}""", Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync(new Uri("/v1.0-alpha1/state/mystate/query", UriKind.Relative), content);

        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Equal("ERR_STATE_QUERY", body["errorCode"]!.GetValue<string>());
        Assert.StartsWith("state store mystate query failed: rpc error: code = Internal desc = only EQ", body["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_asked_of_a_write_and_what_is_published_reach_the_program()
    {
        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("/v1.0/state/mystate", """[{"key":"k","value":1,"options":{"concurrency":"first-write","consistency":"strong"}}]""")).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("/v1.0/publish/mypubsub/t", """{"n":1}""")).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("/v1.0/publish/mypubsub/t?metadata.rawPayload=true", """{"n":2}""")).Status);

        var saved = Assert.Single(_program.Saved);
        Assert.Equal((StateOptions.Types.StateConcurrency.ConcurrencyFirstWrite, StateOptions.Types.StateConsistency.ConsistencyStrong), (saved.Options.Concurrency, saved.Options.Consistency));
        Assert.Equal(["application/cloudevents+json", "application/json; charset=utf-8"], _program.Published.Select(p => p.ContentType));
    }

    [Fact]
    public async Task A_key_that_cannot_be_read_does_not_hide_the_others()
    {
        await PostAsync("/v1.0/state/mystate", """[{"key":"k","value":1}]""");

        var (status, body) = await PostAsync("/v1.0/state/mystate/bulk", """{"keys":["k","broken"]}""");

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(("k", 1), (body![0]!["key"]!.GetValue<string>(), body[0]!["data"]!.GetValue<int>()));
        Assert.Equal(("broken", "rpc error: code = DataLoss desc = unreadable"), (body[1]!["key"]!.GetValue<string>(), body[1]!["error"]!.GetValue<string>()));
    }

    [Fact]
    public async Task An_event_with_a_trace_goes_on_in_that_trace()
    {
        var message = new ReadResponse { MessageId = "1", Data = Google.Protobuf.ByteString.CopyFromUtf8("{}") };
        message.Metadata.Add("traceparent", Parent);
        message.Metadata.Add("colour", "blue");
        _program.Events.Writer.TryWrite(message);

        Assert.True(await _ticked.WaitAsync(Patience));
        Assert.True(_ticks.TryDequeue(out var headers));
        Assert.Equal(("blue", Parent[..36]), (headers["colour"], headers["traceparent"][..36]));
        Assert.Equal(Parent.Length, headers["traceparent"].Length);
        Assert.NotEqual(Parent, headers["traceparent"]);
    }

    private Task<(HttpStatusCode Status, JsonNode? Body)> TransactAsync(string transaction) => PostAsync("/v1.0/state/mystate/transaction", transaction);

    private async Task<(HttpStatusCode Status, JsonNode? Body)> PostAsync(string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync(new Uri(path, UriKind.Relative), content);
        var text = await answer.Content.ReadAsStringAsync();
        return (answer.StatusCode, text.Length == 0 ? null : JsonNode.Parse(text));
    }
}
