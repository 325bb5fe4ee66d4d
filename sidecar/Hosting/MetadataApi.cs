using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resources;
using Dapr.Proto.Runtime.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>A building block that has something to say in the sidecar's metadata.</summary>
internal interface IMetadataSource
{
    /// <summary>Adds its part: subscriptions, hosted actors, connected workers.</summary>
    void Describe(GetMetadataResponse metadata);
}

/// <summary><c>/v1.0/metadata</c> (https://docs.dapr.io/reference/api/metadata_api/): what the sidecar is made of, and what tools noted about it.</summary>
internal sealed class MetadataApi(SidecarRuntime runtime) : IBuildingBlock
{
    private const string VersionKey = "daprRuntimeVersion";

    // On unless the Configuration turns them off.
    private static readonly string[] StandardFeatures = ["HotReload", "WorkflowsRemoteActivityReminder"];

    private readonly ConcurrentDictionary<string, string> _extended = new(StringComparer.Ordinal);

    public void MapHttp(Router router)
    {
        router.Map("metadata", "v1.0", "GET", "metadata", context => context.Bytes(Json()));
        router.Map("metadata", "v1.0", "PUT", "metadata/{key}", async context =>
        {
            Set(context["key"], Encoding.UTF8.GetString(await context.BodyAsync().ConfigureAwait(false)));
            await context.NoContent().ConfigureAwait(false);
        });
    }

    public void Set(string key, string value) => _extended[key] = value;

    public GetMetadataResponse Describe()
    {
        var options = runtime.Options;
        var metadata = new GetMetadataResponse { Id = options.AppId, RuntimeVersion = SidecarRuntime.DaprVersion };
        metadata.EnabledFeatures.AddRange(Features());
        foreach (var component in runtime.Components.Loaded)
        {
            var registered = new RegisteredComponents { Name = component.Name, Type = component.Type, Version = component.Version };
            registered.Capabilities.AddRange(component.Capabilities);
            metadata.RegisteredComponents.Add(registered);
        }

        foreach (var (key, value) in _extended)
            metadata.ExtendedMetadata[key] = value;
        metadata.ExtendedMetadata[VersionKey] = SidecarRuntime.DaprVersion;
        metadata.HttpEndpoints.AddRange(runtime.Endpoints.Names.Select(n => new MetadataHTTPEndpoint { Name = n }));
        metadata.AppConnectionProperties = new AppConnectionProperties { Protocol = options.AppProtocol.ToString().ToLowerInvariant(), ChannelAddress = options.AppChannelAddress, Port = options.AppPort ?? 0, MaxConcurrency = Math.Max(0, options.AppMaxConcurrency) };
        if (options.EnableAppHealthCheck && options.AppPort is not null)
        {
            metadata.AppConnectionProperties.Health = new AppConnectionHealthProperties
            {
                HealthCheckPath = runtime.App.IsGrpc ? "" : options.AppHealthCheckPath,
                HealthProbeInterval = Durations.FormatGo(options.AppHealthProbeInterval),
                HealthProbeTimeout = Durations.FormatGo(options.AppHealthProbeTimeout),
                HealthThreshold = options.AppHealthThreshold,
            };
        }

        metadata.ActorRuntime = new ActorRuntime { RuntimeStatus = ActorRuntime.Types.ActorRuntimeStatus.Disabled, Placement = "placement: disconnected" };
        metadata.McpServers.AddRange(runtime.McpServers.Select(static s => new MetadataMCPServer { Name = s.Name }));
        metadata.WorkflowAccessPolicies.AddRange(runtime.WorkflowAccessPolicies.Select(static p => new MetadataWorkflowAccessPolicy { Name = p.Name }));
        metadata.Resiliencies.AddRange(runtime.Resources.Where(static r => r.Kind == "Resiliency").Select(static r => new MetadataResiliency { Name = r.Name }));
        foreach (var source in runtime.Blocks.OfType<IMetadataSource>())
            source.Describe(metadata);
        return metadata;
    }

    /// <summary>Features that are on: the standard ones and those of the Configuration.</summary>
    public IReadOnlyList<string> Features()
    {
        var features = StandardFeatures.ToList();
        foreach (var feature in (runtime.Configuration.Spec.Array("features") ?? []).OfType<JsonObject>())
        {
            var name = feature.Text("name") ?? "";
            features.Remove(name);
            if (feature.Flag("enabled") == true)
                features.Add(name);
        }

        return features;
    }

    // Some members have other names than protobuf's JSON would give them, and some are there even when they are empty.
    private byte[] Json()
    {
        var metadata = Describe();
        var buffer = new ArrayBufferWriter<byte>(2048);
        using var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("id", metadata.Id);
        json.WriteString("runtimeVersion", metadata.RuntimeVersion);
        Texts("enabledFeatures", metadata.EnabledFeatures);
        Actors("actors", metadata.ActiveActorsCount);
        if (metadata.RegisteredComponents.Count > 0)
        {
            json.WriteStartArray("components");
            foreach (var component in metadata.RegisteredComponents)
            {
                json.WriteStartObject();
                json.WriteString("name", component.Name);
                json.WriteString("type", component.Type);
                json.WriteString("version", component.Version);
                Texts("capabilities", component.Capabilities);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        Map("extended", metadata.ExtendedMetadata);
        if (metadata.Subscriptions.Count > 0)
        {
            json.WriteStartArray("subscriptions");
            foreach (var subscription in metadata.Subscriptions)
                Subscription(subscription);
            json.WriteEndArray();
        }

        Names("httpEndpoints", metadata.HttpEndpoints.Select(e => e.Name));
        Connection(metadata.AppConnectionProperties);
        json.WriteStartObject("actorRuntime");
        json.WriteString("runtimeStatus", metadata.ActorRuntime.RuntimeStatus.ToString().ToUpperInvariant());
        Actors("activeActors", metadata.ActorRuntime.ActiveActors);
        json.WriteBoolean("hostReady", metadata.ActorRuntime.HostReady);
        json.WriteString("placement", metadata.ActorRuntime.Placement);
        json.WriteEndObject();
        if (metadata.Scheduler is { } scheduler)
        {
            json.WriteStartObject("scheduler");
            Texts("connected_addresses", scheduler.ConnectedAddresses);
            json.WriteEndObject();
        }

        if (metadata.Workflows is { ConnectedWorkers: > 0 } workflows)
        {
            json.WriteStartObject("workflows");
            json.WriteNumber("connectedWorkers", workflows.ConnectedWorkers);
            json.WriteEndObject();
        }

        Names("mcpServers", metadata.McpServers.Select(s => s.Name));
        Names("workflowAccessPolicies", metadata.WorkflowAccessPolicies.Select(p => p.Name));
        Names("resiliencies", metadata.Resiliencies.Select(r => r.Name));
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();

        void Texts(string name, IEnumerable<string> values)
        {
            if (!values.Any())
                return;
            json.WriteStartArray(name);
            foreach (var value in values)
                json.WriteStringValue(value);
            json.WriteEndArray();
        }

        void Names(string name, IEnumerable<string> values)
        {
            if (!values.Any())
                return;
            json.WriteStartArray(name);
            foreach (var value in values)
            {
                json.WriteStartObject();
                json.WriteString("name", value);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        void Map(string name, IEnumerable<KeyValuePair<string, string>> values)
        {
            json.WriteStartObject(name);
            foreach (var (key, value) in values.OrderBy(v => v.Key, StringComparer.Ordinal))
                json.WriteString(key, value);
            json.WriteEndObject();
        }

        void Actors(string name, IReadOnlyCollection<ActiveActorsCount> actors)
        {
            if (actors.Count == 0)
                return;
            json.WriteStartArray(name);
            foreach (var actor in actors)
            {
                json.WriteStartObject();
                json.WriteString("type", actor.Type);
                if (actor.Count > 0)
                    json.WriteNumber("count", actor.Count);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        void Subscription(PubsubSubscription subscription)
        {
            json.WriteStartObject();
            json.WriteString("pubsubname", subscription.PubsubName);
            json.WriteString("topic", subscription.Topic);
            if (subscription.Metadata.Count > 0)
                Map("metadata", subscription.Metadata);
            if (subscription.Rules is { Rules.Count: > 0 } rules)
            {
                json.WriteStartArray("rules");
                foreach (var rule in rules.Rules)
                {
                    json.WriteStartObject();
                    if (rule.Match.Length > 0)
                        json.WriteString("match", rule.Match);
                    json.WriteString("path", rule.Path);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            }

            json.WriteString("deadLetterTopic", subscription.DeadLetterTopic);
            json.WriteString("type", subscription.Type.ToString().ToUpperInvariant());
            json.WriteEndObject();
        }

        void Connection(AppConnectionProperties app)
        {
            json.WriteStartObject("appConnectionProperties");
            if (app.Port != 0)
                json.WriteNumber("port", app.Port);
            json.WriteString("protocol", app.Protocol);
            json.WriteString("channelAddress", app.ChannelAddress);
            if (app.MaxConcurrency > 0)
                json.WriteNumber("maxConcurrency", app.MaxConcurrency);
            if (app.Health is { } health)
            {
                json.WriteStartObject("health");
                if (health.HealthCheckPath.Length > 0)
                    json.WriteString("healthCheckPath", health.HealthCheckPath);
                json.WriteString("healthProbeInterval", health.HealthProbeInterval);
                json.WriteString("healthProbeTimeout", health.HealthProbeTimeout);
                json.WriteNumber("healthThreshold", health.HealthThreshold);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }
    }
}

/// <summary><c>POST /v1.0/shutdown</c> and the rpc Shutdown.</summary>
internal sealed partial class ShutdownApi(SidecarRuntime runtime) : IBuildingBlock
{
    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime");
    private const string ForceHeader = "dapr-force-shutdown";
    private static readonly TimeSpan Answer = TimeSpan.FromMilliseconds(100);

    public void MapHttp(Router router) => router.Map("shutdown", "v1.0", "POST", "shutdown", async context =>
    {
        await context.NoContent().ConfigureAwait(false);
        Request(context.Header(ForceHeader));
    });

    /// <param name="force">"true": without grace, as soon as the answer had time to leave.</param>
    public void Request(string? force)
    {
        var forced = string.Equals(force, "true", StringComparison.OrdinalIgnoreCase);
        LogRequested();
        _ = EndAsync(forced);
    }

    public void Request(ServerCallContext context) => Request(context.RequestHeaders.GetValue(ForceHeader));

    private async Task EndAsync(bool forced)
    {
        await Task.Delay(Answer, runtime.Time).ConfigureAwait(false);
        runtime.Shutdown.Request(forced);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Shutdown requested via API")]
    private partial void LogRequested();
}

internal sealed partial class DaprGrpcService
{
    public override Task<GetMetadataResponse> GetMetadata(GetMetadataRequest request, ServerCallContext context) => Task.FromResult(_runtime.Block<MetadataApi>().Describe());

    public override Task<Empty> SetMetadata(SetMetadataRequest request, ServerCallContext context)
    {
        _runtime.Block<MetadataApi>().Set(request.Key, request.Value);
        return Task.FromResult(new Empty());
    }

    public override Task<Empty> Shutdown(ShutdownRequest request, ServerCallContext context)
    {
        _runtime.Block<ShutdownApi>().Request(context);
        return Task.FromResult(new Empty());
    }
}
