using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Apps;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Invocation;
using DaprPlatform.Sidecar.Middleware;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Pluggable;
using DaprPlatform.Sidecar.Resiliency;
using DaprPlatform.Sidecar.Resources;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>What the building blocks of one sidecar share.</summary>
internal sealed partial class SidecarRuntime : IAsyncDisposable
{
    private readonly List<IBuildingBlock> _blocks = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly ILogger _processor;

    public SidecarRuntime(Engine engine, SidecarOptions options, ILoggerFactory loggers)
    {
        Engine = engine;
        Options = options;
        Loggers = loggers;
        _processor = loggers.CreateLogger("dapr.runtime.processor");
        Self = new Caller(options.AppId, options.Namespace);
        Lifecycle = new AppLifecycle(this);
        Components = new ComponentCatalog(options, engine, loggers, engine.Time);
        Metrics = new DaprMetrics(options with { EnableMetrics = false }, []);
        App = new AppChannel(options with { AppPort = null }, engine.Time, Metrics, loggers);
        ApiLog = new ApiLog(options, [], engine.Time, loggers);
    }

    /// <summary>The version this runtime answers as.</summary>
    public const string DaprVersion = "1.18.3";

    public Engine Engine { get; }

    public SidecarOptions Options { get; }

    public ILoggerFactory Loggers { get; }

    public TimeProvider Time => Engine.Time;

    /// <summary>Where other processes of the machine reach the internal port.</summary>
    public Uri InternalAddress => new UriBuilder("http", Options.InternalGrpcListenAddress is { Length: > 0 } given and not ("0.0.0.0" or "[::]" or "::" or "localhost") ? given : "127.0.0.1", Options.InternalGrpcPort).Uri;

    /// <summary>How this sidecar introduces itself to others.</summary>
    public Caller Self { get; }

    /// <summary>The Configuration: the --config files, the later one winning per field.</summary>
    public ConfigurationSpec Configuration { get; private set; } = new([]);

    /// <summary>All resources this app may use, of every kind.</summary>
    public IReadOnlyList<Resource> Resources { get; private set; } = [];

    /// <summary>Who may use the workflows of this app; replaced as a whole when the resources change.</summary>
    public IReadOnlyList<WorkflowAccessPolicy> WorkflowAccessPolicies { get; private set; } = [];

    /// <summary>MCPServer resources.</summary>
    public IReadOnlyList<McpServer> McpServers { get; private set; } = [];

    public ComponentCatalog Components { get; }

    /// <summary>The way to the app; without one until <see cref="LoadAsync"/>.</summary>
    public AppChannel App { get; private set; }

    /// <summary>When the app is there and well, and what it says of itself.</summary>
    public AppLifecycle Lifecycle { get; }

    /// <summary>Cancelled when the sidecar begins to shut down: calls that would never end by themselves, such as streams of subscriptions, end then.</summary>
    public CancellationToken Stopping => _stopping.Token;

    public DaprMetrics Metrics { get; private set; }

    public Tracer Tracing { get; private set; } = Tracer.Off;

    public ApiLog ApiLog { get; private set; }

    /// <summary>Handlers of Configuration's httpPipeline.</summary>
    public HttpPipeline HttpPipeline { get; private set; } = HttpPipeline.Empty;

    public ResiliencyProvider Resiliency { get; private set; } = ResiliencyProvider.None;

    /// <summary>HTTPEndpoint resources.</summary>
    public HttpEndpoints Endpoints { get; private set; } = null!;

    /// <summary>Service invocation; there once the building blocks are made.</summary>
    public InvocationApi Invocation { get; set; } = null!;

    public Router Router { get; } = new();

    public ShutdownSignal Shutdown { get; } = new();

    /// <summary>gRPC services beside Dapr's own, such as TaskHubSidecarService; a building block adds its own when it is made.</summary>
    public List<Func<GrpcServiceOptions, GrpcMethodTable>> GrpcServices { get; } = [];

    /// <summary>HTTP requests that no route takes: service invocation.</summary>
    public RequestDelegate Fallback { get; set; } = static http => Refuse(http, StatusCodes.Status404NotFound);

    /// <summary>gRPC methods that are not the sidecar's: proxied to the app the call names.</summary>
    public RequestDelegate GrpcFallback { get; set; } = static http => GrpcProtocol.WriteStatus(http, new Status(StatusCode.Unimplemented, "unknown method"), null);

    /// <summary>What other sidecars send to the internal port.</summary>
    public RequestDelegate InternalHandler { get; set; } = static http => Refuse(http, StatusCodes.Status404NotFound);

    /// <summary>Paths of the internal port that building blocks answer, for what sidecars of different processes have to tell each other.</summary>
    public Dictionary<string, RequestDelegate> InternalRoutes { get; } = new(StringComparer.Ordinal);

    /// <summary>GET on the metrics port.</summary>
    public RequestDelegate MetricsAsync { get; set; } = static http => Refuse(http, StatusCodes.Status404NotFound);

    /// <summary>Loads configuration, resources and components, then makes the building blocks and maps their routes.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var loader = new ResourceLoader(Loggers.CreateLogger<ResourceLoader>());
        Configuration = ConfigurationSpec.Load(loader, Options.ConfigPaths);
        Resources = loader.Load(Options.ResourcesPaths, Options.AppId, Options.Variable("NAMESPACE"));
        Router.Access = ApiAccess.Create(Configuration.Spec);
        ApiLog = new ApiLog(Options, Configuration.Spec, Time, Loggers);
        Metrics = new DaprMetrics(Options, Configuration.Spec);
        MetricsAsync = new MetricsEndpoint(Metrics.Registry).HandleAsync;
        Tracing = Tracer.Create(Options, Configuration.Spec, Time, Loggers);
        // An app that is probed counts as unhealthy until it has answered well once.
        App = new AppChannel(Options, Time, Metrics, Loggers) { IsHealthy = !Options.EnableAppHealthCheck || Options.AppPort is null };
        Resiliency = ResiliencyProvider.Create(Resources, this);
        McpServers = McpServer.Load(Resources, _processor);
        WorkflowAccessPolicies = WorkflowAccessPolicy.Load(Resources, _processor);
        Components.Metrics = Metrics;
        Components.Pluggable = await PluggableComponents.DiscoverAsync(Options, Loggers.CreateLogger("dapr.runtime.pluggable"), cancellationToken).ConfigureAwait(false);
        await Components.LoadAsync(Resources, Configuration.DeniedComponents, cancellationToken).ConfigureAwait(false);
        Endpoints = await HttpEndpoints.CreateAsync(Resources, Components, _processor, cancellationToken).ConfigureAwait(false);
        HttpPipeline = HttpPipeline.Create(Configuration.Spec, "httpPipeline", Components);
        App.Pipeline = HttpPipeline.Create(Configuration.Spec, "appHttpPipeline", Components);
        _blocks.AddRange(BuildingBlocks.Create(this));
        foreach (var block in _blocks)
            block.MapHttp(Router);
    }

    public IReadOnlyList<IBuildingBlock> Blocks => _blocks;

    /// <summary>The building block of a type. Throws when there is none.</summary>
    public T Block<T>() where T : IBuildingBlock => _blocks.OfType<T>().First();

    public async Task AppReadyAsync(CancellationToken cancellationToken)
    {
        foreach (var block in _blocks)
            await block.AppReadyAsync(cancellationToken).ConfigureAwait(false);
        Changed();
    }

    /// <summary>Reads the resources anew and takes over what has changed (hot reload). A file that is malformed at the moment keeps what it held before.</summary>
    /// <exception cref="ComponentException">A component cannot be initialised.</exception>
    /// <exception cref="ResourceException">Two components have one name, or a Subscription a malformed rule.</exception>
    public async Task ReloadAsync(CancellationToken cancellationToken)
    {
        var loader = new ResourceLoader(Loggers.CreateLogger<ResourceLoader>());
        var before = Resources;
        var read = loader.Load(Options.ResourcesPaths, Options.AppId, Options.Variable("NAMESPACE"));
        IReadOnlyList<Resource> after = [.. read.Concat(before.Where(r => loader.Malformed.Contains(r.File))).OrderBy(FolderOf).ThenBy(r => r.File, StringComparer.Ordinal)];
        int FolderOf(Resource resource) => Options.ResourcesPaths.Index().FirstOrDefault(p => Path.GetDirectoryName(resource.File) == Path.TrimEndingDirectorySeparator(p.Item)).Index;
        bool Same(string kind) => before.Count(r => r.Kind == kind) == after.Count(r => r.Kind == kind)
            && before.Where(r => r.Kind == kind).Zip(after.Where(r => r.Kind == kind)).All(p => System.Text.Json.Nodes.JsonNode.DeepEquals(p.First.Document, p.Second.Document));

        if (Same("Component") && Same("Subscription") && Same("HTTPEndpoint") && Same("Resiliency") && Same(McpServer.Kind) && Same(WorkflowAccessPolicy.Kind))
            return;
        Resources = after;
        if (!Same(McpServer.Kind))
            McpServers = McpServer.Load(after, _processor);
        if (!Same(WorkflowAccessPolicy.Kind))
            WorkflowAccessPolicies = WorkflowAccessPolicy.Load(after, _processor);
        if (!Same("Component"))
        {
            await Components.ReloadAsync(before, after, Configuration.DeniedComponents, cancellationToken).ConfigureAwait(false);
            HttpPipeline = HttpPipeline.Create(Configuration.Spec, "httpPipeline", Components);
            App.Pipeline = HttpPipeline.Create(Configuration.Spec, "appHttpPipeline", Components);
        }

        if (!Same("Resiliency"))
            Resiliency = ResiliencyProvider.Create(Resources, this);
        if (!Same("HTTPEndpoint"))
        {
            // Calls under way keep their connections: the old endpoints close when the last of them is over.
            var old = Endpoints;
            Endpoints = await HttpEndpoints.CreateAsync(Resources, Components, _processor, cancellationToken).ConfigureAwait(false);
            await old.DisposeAsync().ConfigureAwait(false);
        }

        foreach (var block in _blocks)
            await block.ReloadedAsync(cancellationToken).ConfigureAwait(false);
        Changed();
    }

    public Task PauseAsync() => Task.WhenAll(_blocks.Select(b => b.PauseAsync()));

    public async Task AppGoneAsync()
    {
        await Task.WhenAll(_blocks.Select(b => b.AppGoneAsync())).ConfigureAwait(false);
        Changed();
    }

    /// <summary>The sidecar shuts down.</summary>
    public Task BeginStopAsync() => _stopping.CancelAsync();

    private void Changed() => Engine.Changes.Tell(Introspection.RuntimeAreas.Sidecars);

    private static Task Refuse(HttpContext http, int status)
    {
        http.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in _blocks.AsEnumerable().Reverse().OfType<IAsyncDisposable>().Append(Components).Append(Endpoints).Append(App).Append(Tracing).OfType<IAsyncDisposable>())
        {
            try
            {
                await part.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // One that cannot be closed must not keep the others from it.
                LogNotClosed(part.GetType().Name, e.ToString());
            }
        }

        _stopping.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "error closing {Part}: {Reason}")]
    private partial void LogNotClosed(string part, string reason);
}

/// <summary>The merged Configuration resource (https://docs.dapr.io/reference/resource-specs/configuration-schema/).</summary>
internal sealed class ConfigurationSpec(JsonObject spec)
{
    /// <summary>spec, names in any case.</summary>
    public JsonObject Spec { get; } = spec;

    public IReadOnlyList<string> DeniedComponents => [.. (Spec.Object("components")?.Array("deny") ?? []).Select(d => d.Text()).OfType<string>()];

    /// <exception cref="ResourceException">A file is missing or malformed.</exception>
    public static ConfigurationSpec Load(ResourceLoader loader, IReadOnlyList<string> files)
    {
        var merged = new JsonObject();
        foreach (var file in files)
        {
            if (!File.Exists(file))
                throw new ResourceException($"error loading configuration: stat {file}: no such file or directory");
            var documents = loader.LoadFile(file, required: true);
            foreach (var document in documents.Where(d => string.Equals(d.Kind, "Configuration", StringComparison.OrdinalIgnoreCase)))
                Merge(merged, document.Spec);
        }

        return new ConfigurationSpec(merged);
    }

    private static void Merge(JsonObject into, JsonObject from)
    {
        foreach (var (key, value) in from)
        {
            var existing = into.Select(m => m.Key).FirstOrDefault(k => string.Equals(k, key, StringComparison.OrdinalIgnoreCase)) ?? key;
            if (value is JsonObject inner && into[existing] is JsonObject old)
                Merge(old, inner);
            else
                into[existing] = value?.DeepClone();
        }
    }
}
