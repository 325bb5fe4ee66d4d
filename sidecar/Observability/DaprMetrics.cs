using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>
/// Dapr's own series (https://docs.dapr.io/operations/observability/metrics/), by who records them. Times are milliseconds. Everything is a no-op where metrics
/// are off. For series that are not here, use <see cref="Registry"/>.
/// </summary>
internal sealed class DaprMetrics
{
    private readonly string _namespace;

    public DaprMetrics(SidecarOptions options, JsonObject configuration)
    {
        _namespace = options.Variable("NAMESPACE") ?? "";
        // Both names are in use; the plural one wins where it is given.
        var metrics = configuration.Object("metrics") ?? configuration.Object("metric") ?? [];
        Registry = new MetricsRegistry(options.AppId, options.EnableMetrics && metrics.Flag("enabled") != false);
        if (metrics.Array("latencyDistributionBuckets") is { Count: > 0 } buckets)
            Registry.LatencyBounds = [.. buckets.Select(b => double.TryParse(b.Text(), System.Globalization.CultureInfo.InvariantCulture, out var bound) ? bound : 0).Where(b => b > 0).Order()];
        foreach (var rule in (metrics.Array("rules") ?? []).OfType<JsonObject>())
        {
            foreach (var label in (rule.Array("labels") ?? []).OfType<JsonObject>())
                Registry.AddRule(rule.Text("name") ?? "", label.Text("name") ?? "", label.Map("regex").Select(r => (new Regex(r.Value, RegexOptions.CultureInvariant), r.Key)));
        }

        var http = metrics.Object("http") ?? [];
        HighCardinality = http.Flag("increasedCardinality") ?? true;
        ExcludeVerbs = http.Flag("excludeVerbs") == true;
        PathMatching = new PathMatcher([.. (http.Array("pathMatching") ?? []).Select(p => p.Text()).OfType<string>()]);
        ErrorCodes = new ErrorCodeMetrics(Registry, metrics.Flag("recordErrorCodes") == true);
        Http = new HttpMetrics(this);
        Grpc = new GrpcMetrics(Registry);
        Invocation = new InvocationMetrics(Registry);
        Actors = new ActorMetrics(Registry);
        PubSub = new PubSubMetrics(Registry, _namespace);
        Resiliency = new ResiliencyMetrics(Registry, _namespace);
        Workflow = new WorkflowMetrics(Registry, _namespace);
    }

    public MetricsRegistry Registry { get; }

    public bool HighCardinality { get; }

    public bool ExcludeVerbs { get; }

    public PathMatcher PathMatching { get; }

    public ErrorCodeMetrics ErrorCodes { get; }

    public HttpMetrics Http { get; }

    public GrpcMetrics Grpc { get; }

    public InvocationMetrics Invocation { get; }

    public ActorMetrics Actors { get; }

    public PubSubMetrics PubSub { get; }

    public ResiliencyMetrics Resiliency { get; }

    public WorkflowMetrics Workflow { get; }

    /// <summary>An operation of a component.</summary>
    /// <param name="kind">As in the series' names: <c>state</c>, <c>secret</c>, <c>configuration</c>, <c>crypto</c>, <c>output_binding</c>.</param>
    /// <param name="operation">Such as <c>get</c>, <c>set</c>, <c>delete</c>, <c>bulk_get</c>, <c>bulk_delete</c>, <c>transaction</c>, <c>query</c>.</param>
    public void Component(string kind, string component, string operation, bool success, double milliseconds)
    {
        if (!Registry.Enabled)
            return;
        var ok = success ? "true" : "false";
        Registry.Counter($"dapr_component_{kind}_count", "component", "namespace", "operation", "success").Increment(component, _namespace, operation, ok);
        Registry.Latency($"dapr_component_{kind}_latencies", "component", "namespace", "operation", "success").Record(milliseconds, component, _namespace, operation, ok);
    }

    /// <summary>An event of an input binding, handled by the app.</summary>
    public void InputBinding(string component, bool success, double milliseconds)
    {
        if (!Registry.Enabled)
            return;
        var ok = success ? "true" : "false";
        Registry.Counter("dapr_component_input_binding_count", "component", "namespace", "success").Increment(component, _namespace, ok);
        Registry.Latency("dapr_component_input_binding_latencies", "component", "namespace", "success").Record(milliseconds, component, _namespace, ok);
    }

    /// <summary>A conversation had its answer, or none.</summary>
    public void Conversation(string component, bool success, double milliseconds)
    {
        if (!Registry.Enabled)
            return;
        var ok = success ? "true" : "false";
        Registry.Counter("dapr_component_conversation_count", "component", "namespace", "success").Increment(component, _namespace, ok);
        Registry.Latency("dapr_component_conversation_latencies", "component", "namespace", "success").Record(milliseconds, component, _namespace, ok);
    }

    /// <summary>A job was triggered.</summary>
    public void Job(bool success, double milliseconds)
    {
        Registry.Counter(success ? "dapr_component_job_success_count" : "dapr_component_job_failure_count", "namespace", "operation").Increment(_namespace, "job_trigger_op");
        Registry.Latency("dapr_component_job_latencies", "namespace", "operation").Record(milliseconds, _namespace, "job_trigger_op");
    }

    public void ComponentLoaded() => Registry.Counter("dapr_runtime_component_loaded").Increment();

    /// <param name="type">spec.type.</param>
    public void ComponentInitialised(string type) => Registry.Counter("dapr_runtime_component_init_total", "component").Increment(type);

    /// <param name="reason">Such as <c>init</c> or <c>creation</c>.</param>
    public void ComponentFailed(string type, string reason, string name) =>
        Registry.Counter("dapr_runtime_component_init_fail_total", "component", "reason", "componentName").Increment(type, reason, name);
}

/// <summary>Requests to the HTTP API, and calls to an HTTP app.</summary>
internal sealed class HttpMetrics(DaprMetrics metrics)
{
    private static readonly string[] ByStatus = ["method", "path", "status"];
    private readonly MetricFamily _requests = metrics.Registry.Counter("dapr_http_server_request_count", ByStatus);
    private readonly MetricFamily _responses = metrics.Registry.Counter("dapr_http_server_response_count", ByStatus);
    private readonly MetricFamily _latency = metrics.Registry.Latency("dapr_http_server_latency", ByStatus);
    private readonly MetricFamily _requestBytes = metrics.Registry.Size("dapr_http_server_request_bytes");
    private readonly MetricFamily _responseBytes = metrics.Registry.Size("dapr_http_server_response_bytes");
    private readonly MetricFamily _completed = metrics.Registry.Counter("dapr_http_client_completed_count", ByStatus);
    private readonly MetricFamily _roundtrip = metrics.Registry.Latency("dapr_http_client_roundtrip_latency", ByStatus);
    private readonly MetricFamily _sent = metrics.Registry.Size("dapr_http_client_sent_bytes", ByStatus);
    private readonly MetricFamily _received = metrics.Registry.Size("dapr_http_client_received_bytes");
    private readonly MetricFamily _probes = metrics.Registry.Counter("dapr_http_healthprobes_completed_count", "status");
    private readonly MetricFamily _probeLatency = metrics.Registry.Latency("dapr_http_healthprobes_roundtrip_latency", "status");

    /// <param name="path">As it came, without query.</param>
    /// <param name="requestBytes">-1 where unknown.</param>
    public void Served(string method, string path, int status, double milliseconds, long requestBytes, long responseBytes)
    {
        if (!metrics.Registry.Enabled)
            return;
        var (verb, route, code) = (Verb(method), ServerPath(path), Code(status));
        _requests.Increment(verb, route, code);
        if (metrics.HighCardinality)
            _responses.Increment(verb, route, code);
        _latency.Record(milliseconds, verb, route, code);
        _requestBytes.Record(Math.Max(0, requestBytes));
        _responseBytes.Record(Math.Max(0, responseBytes));
    }

    /// <summary>A call to the app.</summary>
    public void Called(string method, string path, int status, double milliseconds, long sentBytes)
    {
        if (!metrics.Registry.Enabled)
            return;
        var (verb, route, code) = (Verb(method), ClientPath(path), Code(status));
        _completed.Increment(verb, route, code);
        _roundtrip.Record(milliseconds, verb, route, code);
        _sent.Record(Math.Max(0, sentBytes), verb, route, "");
    }

    /// <summary>The answer to a call was read.</summary>
    public void Received(long bytes) => _received.Record(bytes);

    public void Probed(int status, double milliseconds)
    {
        _probes.Increment(Code(status));
        _probeLatency.Record(milliseconds, Code(status));
    }

    private string Verb(string method) => metrics.ExcludeVerbs ? "" : method;

    private string ServerPath(string path)
    {
        // A path that matches none is in one bucket with the others, or passed through as it is.
        if (metrics.PathMatching.Match(path) is { Length: > 0 } pattern)
            return pattern;
        if (!metrics.HighCardinality)
            return "";
        // Keys of state and secrets would make a series each.
        if (path.StartsWith("/v1.0/state/", StringComparison.Ordinal) || path.StartsWith("/v1.0/secrets/", StringComparison.Ordinal))
        {
            var store = path.IndexOf('/', path[6] == 's' && path[7] == 't' ? "/v1.0/state/".Length : "/v1.0/secrets/".Length);
            return store < 0 ? path : path[..store];
        }

        return path.StartsWith("/v1.0/actors/", StringComparison.Ordinal) ? WithoutId(path, "/v1.0/actors/".Length) : path;
    }

    private string ClientPath(string path)
    {
        if (metrics.PathMatching.Match(path) is { Length: > 0 } pattern)
            return pattern;
        return !metrics.HighCardinality ? "" : path.StartsWith("/actors/", StringComparison.Ordinal) ? WithoutId(path, "/actors/".Length) : path;
    }

    // The id of an actor would make a series each: /actors/TYPE/ID/method/METHOD is /actors/TYPE/method/METHOD, /actors/TYPE/ID is /actors/TYPE.
    private static string WithoutId(string path, int typeAt)
    {
        var id = path.IndexOf('/', typeAt);
        if (id < 0)
            return path;
        var rest = path.IndexOf('/', id + 1);
        return rest < 0 ? path[..id] : string.Concat(path.AsSpan(0, id), path.AsSpan(rest));
    }

    private static string Code(int status) => status switch
    {
        200 => "200",
        204 => "204",
        400 => "400",
        404 => "404",
        500 => "500",
        _ => status.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };
}

/// <summary>Calls of the gRPC API, and calls to a gRPC app.</summary>
internal sealed class GrpcMetrics(MetricsRegistry registry)
{
    private readonly MetricFamily _served = registry.Counter("dapr_grpc_io_server_completed_rpcs", "grpc_server_method", "grpc_server_status");
    private readonly MetricFamily _latency = registry.Latency("dapr_grpc_io_server_server_latency", "grpc_server_method", "grpc_server_status");
    private readonly MetricFamily _received = registry.Size("dapr_grpc_io_server_received_bytes_per_rpc", "grpc_server_method");
    private readonly MetricFamily _sent = registry.Size("dapr_grpc_io_server_sent_bytes_per_rpc", "grpc_server_method");
    private readonly MetricFamily _completed = registry.Counter("dapr_grpc_io_client_completed_rpcs", "grpc_client_method", "grpc_client_status");
    private readonly MetricFamily _roundtrip = registry.Latency("dapr_grpc_io_client_roundtrip_latency", "grpc_client_method", "grpc_client_status");
    private readonly MetricFamily _clientSent = registry.Size("dapr_grpc_io_client_sent_bytes_per_rpc", "grpc_client_method");
    private readonly MetricFamily _clientReceived = registry.Size("dapr_grpc_io_client_received_bytes_per_rpc", "grpc_client_method");
    private readonly MetricFamily _probes = registry.Counter("dapr_grpc_io_healthprobes_completed_count", "grpc_client_status");
    private readonly MetricFamily _probeLatency = registry.Latency("dapr_grpc_io_healthprobes_roundtrip_latency", "grpc_client_status");

    /// <param name="method">Full name, with its leading slash.</param>
    /// <param name="status">Such as <c>OK</c> or <c>InvalidArgument</c>.</param>
    public void Served(string method, string status, double milliseconds, long received, long sent)
    {
        if (!registry.Enabled)
            return;
        _served.Increment(method, status);
        _latency.Record(milliseconds, method, status);
        _received.Record(received, method);
        _sent.Record(sent, method);
    }

    public void Called(string method, string status, double milliseconds, long sent, long received)
    {
        if (!registry.Enabled)
            return;
        _completed.Increment(method, status);
        _roundtrip.Record(milliseconds, method, status);
        _clientSent.Record(sent, method);
        _clientReceived.Record(received, method);
    }

    public void Probed(string status, double milliseconds)
    {
        _probes.Increment(status);
        _probeLatency.Record(milliseconds, status);
    }
}

/// <summary>Calls between sidecars.</summary>
internal sealed class InvocationMetrics(MetricsRegistry registry)
{
    private readonly MetricFamily _requestsSent = registry.Counter("dapr_runtime_service_invocation_req_sent_total", "dst_app_id", "type");
    private readonly MetricFamily _responsesReceived = registry.Counter("dapr_runtime_service_invocation_res_recv_total", "src_app_id", "status", "type");
    private readonly MetricFamily _latency = registry.Latency("dapr_runtime_service_invocation_res_recv_latency_ms", "src_app_id", "status");
    private readonly MetricFamily _requestsReceived = registry.Counter("dapr_runtime_service_invocation_req_recv_total", "src_app_id");
    private readonly MetricFamily _responsesSent = registry.Counter("dapr_runtime_service_invocation_res_sent_total", "dst_app_id", "status");

    public void RequestSent(string to, bool streaming = false) => _requestsSent.Increment(to, streaming ? "streaming" : "unary");

    public void ResponseReceived(string from, int status, double milliseconds, bool streaming = false)
    {
        if (!registry.Enabled)
            return;
        var code = status.ToString(System.Globalization.CultureInfo.InvariantCulture);
        _responsesReceived.Increment(from, code, streaming ? "streaming" : "unary");
        _latency.Record(milliseconds, from, code);
    }

    public void RequestReceived(string from) => _requestsReceived.Increment(from);

    /// <summary>Access control decided about a call by its default action; callers have no identity that a policy of their own could be for.</summary>
    public void Decided(bool allowed) => registry.Counter(allowed ? "dapr_runtime_acl_global_policy_action_allowed_total" : "dapr_runtime_acl_global_policy_action_blocked_total").Increment();

    public void ResponseSent(string to, int status)
    {
        if (registry.Enabled)
            _responsesSent.Increment(to, status.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }
}

/// <summary>Messages published and delivered.</summary>
internal sealed class PubSubMetrics(MetricsRegistry registry, string @namespace)
{
    private static readonly string[] Egress = ["component", "namespace", "success", "topic"];
    private static readonly string[] Ingress = ["component", "namespace", "process_status", "status", "topic"];

    public void Published(string component, string topic, bool success, double milliseconds)
    {
        registry.Counter("dapr_component_pubsub_egress_count", Egress).Increment(component, @namespace, success ? "true" : "false", topic);
        registry.Latency("dapr_component_pubsub_egress_latencies", Egress).Record(milliseconds, component, @namespace, success ? "true" : "false", topic);
    }

    /// <param name="events">Events of the bulk that were published.</param>
    public void BulkPublished(string component, string topic, bool success, int events, double milliseconds)
    {
        registry.Counter("dapr_component_pubsub_egress_bulk_count", Egress).Increment(component, @namespace, success ? "true" : "false", topic);
        registry.Counter("dapr_component_pubsub_egress_bulk_event_count", Egress).Add(events, component, @namespace, success ? "true" : "false", topic);
        registry.Latency("dapr_component_pubsub_egress_bulk_latencies", Egress).Record(milliseconds, component, @namespace, success ? "true" : "false", topic);
    }

    /// <param name="process">What became of it: <c>success</c>, <c>retry</c> or <c>drop</c>.</param>
    /// <param name="status">The app's word, as the transcripts show it.</param>
    public void Delivered(string component, string topic, string process, string status, double milliseconds)
    {
        registry.Counter("dapr_component_pubsub_ingress_count", Ingress).Increment(component, @namespace, process, status, topic);
        registry.Latency("dapr_component_pubsub_ingress_latencies", Ingress).Record(milliseconds, component, @namespace, process, status, topic);
    }

    public void BulkDelivered(string component, string topic, string process, int events, double milliseconds)
    {
        registry.Counter("dapr_component_pubsub_ingress_bulk_count", "component", "namespace", "process_status", "topic").Increment(component, @namespace, process, topic);
        registry.Counter("dapr_component_pubsub_ingress_bulk_event_count", "component", "namespace", "process_status", "topic").Add(events, component, @namespace, process, topic);
        registry.Latency("dapr_component_pubsub_ingress_bulk_latencies", "component", "namespace", "process_status", "topic").Record(milliseconds, component, @namespace, process, topic);
    }
}

/// <summary>Policies loaded, used and activated.</summary>
internal sealed class ResiliencyMetrics(MetricsRegistry registry, string @namespace)
{
    private static readonly string[] Use = ["name", "namespace", "policy", "flow_direction", "target", "status"];
    private readonly MetricFamily _loaded = registry.Counter("dapr_resiliency_loaded", "name", "namespace");
    private readonly MetricFamily _count = registry.Counter("dapr_resiliency_count", Use);
    private readonly MetricFamily _activations = registry.Counter("dapr_resiliency_activations_total", Use);
    private readonly MetricFamily _state = registry.Gauge("dapr_resiliency_cb_state", Use);

    public void Loaded(string name) => _loaded.Increment(name, @namespace);

    /// <param name="policy"><c>timeout</c>, <c>retry</c> or <c>circuitbreaker</c>.</param>
    /// <param name="target">Such as <c>app_orders</c>.</param>
    /// <param name="status">State of a breaker; empty otherwise.</param>
    public void Used(string name, string policy, string direction, string target, string status) => _count.Increment(name, @namespace, policy, direction, target, status);

    public void Activated(string name, string policy, string direction, string target, string status) => _activations.Increment(name, @namespace, policy, direction, target, status);

    /// <summary>1 for the state a breaker is in, 0 for the others.</summary>
    public void BreakerState(string name, string direction, string target, string status)
    {
        if (!registry.Enabled)
            return;
        foreach (var state in (ReadOnlySpan<string>)["closed", "open", "half-open"])
            _state.Set(state == status ? 1 : 0, name, @namespace, "circuitbreaker", direction, target, state);
    }
}

/// <summary>Configuration's <c>metrics.http.pathMatching</c>: patterns as of Go's ServeMux, the most specific wins.</summary>
internal sealed class PathMatcher(IReadOnlyList<string> patterns)
{
    private readonly (string Pattern, string[] Segments)[] _patterns = [.. patterns.Select(p => (p, p.Split('/')))];

    /// <summary>The pattern that matches, or nothing.</summary>
    public string Match(string path)
    {
        if (_patterns.Length == 0)
            return "";
        var segments = path.Split('/');
        var best = ("", -1);
        foreach (var (pattern, wanted) in _patterns)
        {
            var score = Score(wanted, segments);
            if (score > best.Item2)
                best = (pattern, score);
        }

        return best.Item1;
    }

    // -1: no match. Literals count for more than {wildcards}; a trailing slash or {rest...} takes everything below, {$} nothing.
    private static int Score(string[] wanted, string[] segments)
    {
        var score = 0;
        for (var i = 0; i < wanted.Length; i++)
        {
            if ((i == wanted.Length - 1 && wanted[i].Length == 0 && i > 0) || wanted[i].EndsWith("...}", StringComparison.Ordinal))
                return segments.Length > i ? score : -1;
            if (i >= segments.Length)
                return -1;
            if (i == wanted.Length - 1 && wanted[i] == "{$}")
                score += segments[i].Length == 0 ? 2 : -1000;
            else if (wanted[i] is ['{', .., '}'])
                score += segments[i].Length > 0 ? 1 : -1000;
            else if (wanted[i] == segments[i])
                score += 2;
            else
                return -1;
        }

        return wanted.Length == segments.Length && score >= 0 ? score : -1;
    }
}
