using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Hosting.Tests;
using DaprPlatform.Sidecar.Introspection;
using DaprPlatform.Sidecar.Workflow;

namespace DaprPlatform.Cli.OpsConsole.Tests;

/// <summary>The console of a stack whose runtime has one sidecar with an app in this process; the stack itself starts nothing.</summary>
public sealed class ConsoleWorld : IAsyncLifetime
{
    /// <summary>For whatever is waited for: far more than it takes on a slow machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private const string App = "shop";
    private static readonly string Resources = string.Join("\n---\n",
        Component("store", "state.redis", ("redisHost", "localhost:6379"), ("redisPassword", "hunter2"), ("actorStateStore", "true")),
        Component("memory", "state.in-memory"),
        Component("events", "pubsub.kafka", ("brokers", "localhost:9092"), ("authType", "none"), ("initialOffset", "oldest")),
        Component("queue", "pubsub.redis", ("redisHost", "localhost:6379")),
        Component("wire", "pubsub.in-memory"),
        Component("settings", "configuration.redis", ("redisHost", "localhost:6379")),
        Component("locks", "lock.redis", ("redisHost", "localhost:6379")),
        Subscription("events", "orders", "{ rules: [{ match: 'event.type == \"gone\"', path: /events/gone }], default: /events/orders }"),
        Subscription("events", "broken", "{ default: /events/nobody }", "broken.dlq"),
        Subscription("queue", "parcels", "{ default: /events/parcels }", "parcels.dlq"),
        Subscription("wire", "bells", "{ default: /events/bells }"),
        """
        apiVersion: dapr.io/v1alpha1
        kind: Resiliency
        metadata: { name: guard }
        spec:
          policies:
            circuitBreakers:
              fuse: { maxRequests: 1, timeout: 600s, trip: consecutiveFailures >= 1 }
          targets:
            apps:
              shop: { circuitBreaker: fuse }
        """);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("console-dapr-");
    private readonly HttpClient _sidecar = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
    private readonly HttpClient _console = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
    private StandInApp _app = null!;
    private EmbeddedRuntime _runtime = null!;
    private IAppSidecar _running = null!;
    private ConsoleSystem _system = null!;
    private ConsoleServer _server = null!;

    internal RuntimeView View => _runtime.View!;

    internal StandInApp StandIn => _app;

    internal ConsoleSystem System => _system;

    internal static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _app = (await StandInApp.StartAsync()).On("/dapr/config", """{"entities":["Cart","Till"]}""").On("/events/orders", """{"status":"SUCCESS"}""").On("/actors/Cart/c1/method/add").On("/actors/Cart/c1");
        _app.Answers["/fail"] = context =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        };
        var resources = _folder.CreateSubdirectory("components").FullName;
        await File.WriteAllTextAsync(Path.Combine(resources, "all.yaml"), Resources);
        var configuration = Path.Combine(_folder.FullName, "config.yaml");
        await File.WriteAllTextAsync(configuration, "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata:\n  name: shop-config\nspec:\n  tracing:\n    samplingRate: \"0\"\n    otel:\n      endpointAddress: \"http://me:pass@localhost:4318\"\n      headers: \"x\"\n      authToken: \"hush\"\n");
        var data = new DataFolder(Path.Combine(_folder.FullName, "data"));
        Directory.CreateDirectory(data.Logs);
        _runtime = await EmbeddedRuntime.OpenAsync(data, Token);
        var run = new RunApp
        {
            AppId = App,
            Folder = _folder.FullName,
            AppPort = new ConfiguredPort(_app.Port, null),
            AppProtocol = "http",
            DaprHttpPort = new ConfiguredPort(DaprSidecar.FreePort(), null),
            DaprGrpcPort = new ConfiguredPort(DaprSidecar.FreePort(), null),
            DaprInternalGrpcPort = null,
            MetricsPort = new ConfiguredPort(DaprSidecar.FreePort(), null),
            ProfilePort = null,
            OwnMetricsPort = null,
            Command = [],
            Environment = new Dictionary<string, string>(),
            EnvironmentSettings = new Dictionary<string, Setting>(),
            ResourcesPaths = [resources],
            ConfigPath = configuration,
            PlacementHostAddress = "localhost:50005",
            SchedulerHostAddress = "localhost:50006",
        };
        _running = await _runtime.StartAsync(run, Token);
        await _running.WaitUntilHealthyAsync(Token).WaitAsync(Patience, Token);
        _sidecar.BaseAddress = new Uri($"http://127.0.0.1:{run.DaprHttpPort.Number}");
        (_system, _server) = await ServeAsync(data, _runtime);
        _console.BaseAddress = new Uri(_server.Url! + "/api/v1/");
        _console.DefaultRequestHeaders.Add(ConsoleGate.ChangeHeader, "1");
    }

    /// <summary>A worker that the test answers for by hand.</summary>
    internal async Task<Sidecar.Workflow.Tests.FakeWorker> WorkerAsync() => new((await ClientAsync()).Hub);

    internal async Task<WorkflowClient> ClientAsync() =>
        (WorkflowClient)await View.RuntimeOf(App).Block<WorkflowApi>().OnEngineAsync(Task.FromResult, once: false, Token);

    /// <summary>A console over a runtime that is not this process.</summary>
    internal async Task<HttpClient> BlindAsync(List<IAsyncDisposable> held)
    {
        var folder = new DataFolder(Path.Combine(_folder.FullName, "blind"));
        Directory.CreateDirectory(folder.Logs);
        var (system, server) = await ServeAsync(folder, new NoRuntime());
        held.Add(server);
        held.Add(system);
        var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(server.Url! + "/api/v1/"), Timeout = Patience };
        http.DefaultRequestHeaders.Add(ConsoleGate.ChangeHeader, "1");
        return http;
    }

    internal async Task<JsonNode> GetAsync(string path)
    {
        var (status, body) = await SendAsync("GET", path);
        Assert.True(status == HttpStatusCode.OK, $"{path}: {status} {body?.ToJsonString()}");
        return body!;
    }

    internal async Task<(HttpStatusCode Status, JsonNode? Body)> SendAsync(string method, string path, string? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await _console.SendAsync(request, Token);
        var text = await response.Content.ReadAsStringAsync(Token);
        return (response.StatusCode, text.Length == 0 ? null : JsonNode.Parse(text));
    }

    /// <summary>What the stream tells of a topic until a message satisfies the condition.</summary>
    internal Task<JsonNode> ToldAsync(string topic, Func<JsonNode, bool> wanted, Func<Task> meanwhile) =>
        UntilToldAsync(topic, told => Task.FromResult(told is not null && wanted(told) ? told : null), meanwhile);

    /// <summary>What a look finds: the first is after the meanwhile, with null, another after each message of the topic, with it.</summary>
    internal async Task<T> UntilToldAsync<T>(string topic, Func<JsonNode?, Task<T?>> look, Func<Task> meanwhile)
        where T : class
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Patience);
        using var response = await _console.GetAsync($"stream?topics={topic}", HttpCompletionOption.ResponseHeadersRead, limit.Token);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(limit.Token));
        await meanwhile();
        if (await look(null) is { } already)
            return already;
        var current = "";
        while (await reader.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.StartsWith("event:", StringComparison.Ordinal))
                current = line[6..].Trim();
            if (current == topic && line.StartsWith("data:", StringComparison.Ordinal) && await look(JsonNode.Parse(line[5..])) is { } found)
                return found;
        }

        throw new InvalidOperationException("the stream has ended");
    }

    /// <summary>A call of the app to its sidecar.</summary>
    internal async Task<(HttpStatusCode Status, string Text)> CallAsync(string method, string path, string? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") };
        using var response = await _sidecar.SendAsync(request, Token);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Token));
    }

    internal async Task DoneAsync(string method, string path, string? body = null)
    {
        var (status, text) = await CallAsync(method, path, body);
        Assert.True((int)status is >= 200 and < 300, $"{path}: {status} {text}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        if (_system is not null)
            await _system.DisposeAsync();
        if (_running is not null)
            await _running.StopAsync(TimeSpan.FromSeconds(10));
        if (_runtime is not null)
            await _runtime.DisposeAsync();
        await _app.DisposeAsync();
        _sidecar.Dispose();
        _console.Dispose();
        _folder.Delete(recursive: true);
    }

    private static string Component(string name, string type, params (string Name, string Value)[] metadata) => $$"""
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: {{name}} }
        spec:
          type: {{type}}
          version: v1
          metadata: [{{string.Join(", ", metadata.Select(m => $"{{ name: {m.Name}, value: \"{m.Value}\" }}"))}}]
        """;

    private static string Subscription(string pubsub, string topic, string routes, string? deadLetters = null) => $$"""
        apiVersion: dapr.io/v2alpha1
        kind: Subscription
        metadata: { name: {{topic}} }
        spec:
          pubsubname: {{pubsub}}
          topic: {{topic}}
          routes: {{routes}}
        {{(deadLetters is null ? "" : $"  deadLetterTopic: {deadLetters}")}}
        """;

    private static async Task<(ConsoleSystem System, ConsoleServer Server)> ServeAsync(DataFolder data, ISidecarHost host)
    {
        var repository = new Repository(data.Path);
        var file = new RunFile(Path.Combine(data.Path, "dapr.yaml"), null, []);
        var system = ConsoleSystem.Open(repository, file, data, new Stack(repository, file, data, host, TimeProvider.System), TimeProvider.System);
        return (system, (await ConsoleServer.StartAsync(system, new ConsoleDoor(false, IPAddress.Loopback), 0, Token))!);
    }

    private sealed class NoRuntime : ISidecarHost
    {
        public Task<IAppSidecar> StartAsync(RunApp app, CancellationToken cancel) => throw new CommandException("There is none.");

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
