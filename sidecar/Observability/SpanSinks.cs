using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>Zipkin's JSON, version 2 (https://zipkin.io/zipkin-api/). Attributes travel as text tags, names of spans in lower case.</summary>
internal sealed class ZipkinSink(Uri endpoint, TraceResource resource) : ISpanSink
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, ActivityHeadersPropagator = null });

    public string Description => endpoint.ToString();

    public async Task SendAsync(IReadOnlyList<Span> spans, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(Encode(spans));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var response = await _http.PostAsync(endpoint, content, cancellationToken).ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
    }

    public void Dispose() => _http.Dispose();

    private byte[] Encode(IReadOnlyList<Span> spans)
    {
        var buffer = new ArrayBufferWriter<byte>(1024 * spans.Count);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartArray();
        foreach (var span in spans)
        {
            json.WriteStartObject();
            json.WriteString("traceId", span.Context.TraceId);
            json.WriteString("id", span.Context.SpanId.ToString("x16", CultureInfo.InvariantCulture));
            if (span.ParentSpanId != 0)
                json.WriteString("parentId", span.ParentSpanId.ToString("x16", CultureInfo.InvariantCulture));
            json.WriteString("name", span.Name.ToLowerInvariant());
            if (span.Kind != SpanKind.Internal)
                json.WriteString("kind", span.Kind.ToString().ToUpperInvariant());
            json.WriteNumber("timestamp", Nanoseconds(span.Start) / 1000);
            json.WriteNumber("duration", Math.Max(1, (Nanoseconds(span.End) - Nanoseconds(span.Start)) / 1000));
            json.WriteStartObject("localEndpoint");
            json.WriteString("serviceName", resource.ServiceName);
            json.WriteEndObject();
            json.WriteStartObject("tags");
            foreach (var (name, value) in span.Attributes)
                json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture));
            foreach (var (name, value) in resource.Attributes)
                json.WriteString(name, value);
            json.WriteString("otel.scope.name", TraceResource.Scope);
            if (span.Error is { } error)
            {
                json.WriteString("otel.status_code", "ERROR");
                json.WriteString("error", error);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    internal static long Nanoseconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks * 100;
}

/// <summary>A line of JSON for each span on the standard output.</summary>
internal sealed class StdoutSink(TraceResource resource) : ISpanSink
{
    public string Description => "stdout";

    public async Task SendAsync(IReadOnlyList<Span> spans, CancellationToken cancellationToken)
    {
        foreach (var span in spans)
        {
            var line = JsonSerializer.Serialize(new Dictionary<string, object?>
            {
                ["Name"] = span.Name, ["SpanKind"] = span.Kind.ToString(), ["TraceID"] = span.Context.TraceId, ["SpanID"] = span.Context.SpanId.ToString("x16", CultureInfo.InvariantCulture),
                ["ParentSpanID"] = span.ParentSpanId.ToString("x16", CultureInfo.InvariantCulture), ["StartTime"] = span.Start, ["EndTime"] = span.End, ["Error"] = span.Error,
                ["Attributes"] = span.Attributes.ToDictionary(a => a.Key, a => a.Value), ["Service"] = resource.ServiceName,
            });
            await Console.Out.WriteLineAsync(line.AsMemory(), cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
    }
}

/// <summary>OTLP traces (https://opentelemetry.io/docs/specs/otlp/) by HTTP with protobuf, or by gRPC.</summary>
internal sealed class OtlpSink : ISpanSink
{
    private readonly HttpClient _http;
    private readonly Uri _endpoint;
    private readonly bool _grpc;
    private readonly TraceResource _resource;
    private readonly IReadOnlyList<KeyValuePair<string, string>> _headers;
    private readonly TimeSpan _timeout;

    private OtlpSink(Uri endpoint, bool grpc, IReadOnlyList<KeyValuePair<string, string>> headers, TimeSpan timeout, TraceResource resource)
    {
        _endpoint = endpoint;
        _grpc = grpc;
        _headers = headers;
        _timeout = timeout;
        _resource = resource;
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ActivityHeadersPropagator = null });
    }

    public string Description => _endpoint.ToString();

    /// <summary>Null where neither the Configuration nor the environment names a collector. The environment wins, as OpenTelemetry's SDKs do it.</summary>
    public static OtlpSink? Create(Hosting.SidecarOptions options, JsonObject? otel, string? environmentEndpoint, TraceResource resource)
    {
        var address = environmentEndpoint ?? (otel is null ? null : otel.Text("endpointAddress"));
        if (string.IsNullOrEmpty(address))
            return null;
        string? Variable(string name) => options.Variable($"OTEL_EXPORTER_OTLP_TRACES_{name}") ?? options.Variable($"OTEL_EXPORTER_OTLP_{name}");
        string? Member(string name) => otel is null ? null : otel.Text(name);

        var protocol = Variable("PROTOCOL") ?? Member("protocol") ?? (environmentEndpoint is null ? "http" : "grpc");
        var grpc = protocol == "grpc";
        var secure = Variable("INSECURE") is { } insecure ? insecure != "true" : Member("isSecure") != "false";
        if (!address.Contains("://", StringComparison.Ordinal))
            address = (secure ? "https://" : "http://") + address;
        var given = new Uri(address);
        // A path belongs to the signal's own variable only; else the well-known one is added.
        var endpoint = grpc ? new Uri(given, "/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            : options.Variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") is not null || given.AbsolutePath.EndsWith("/v1/traces", StringComparison.Ordinal) ? given
            : new Uri(given.GetLeftPart(UriPartial.Authority) + given.AbsolutePath.TrimEnd('/') + "/v1/traces");
        var headers = Variable("HEADERS") is { } list ? Pairs(list) : otel is null ? [] : Headers(otel);
        var timeout = Variable("TIMEOUT") is { } text && int.TryParse(text, CultureInfo.InvariantCulture, out var milliseconds) ? TimeSpan.FromMilliseconds(milliseconds)
            : Durations.TryParseGo(Member("timeout"), out var configured) ? configured
            : int.TryParse(Member("timeout"), CultureInfo.InvariantCulture, out milliseconds) ? TimeSpan.FromMilliseconds(milliseconds) : TimeSpan.FromSeconds(10);
        return new OtlpSink(endpoint, grpc, headers, timeout, resource);
    }

    // One text as in the variable, a list of such texts or of objects with name and value, or a map.
    private static List<KeyValuePair<string, string>> Headers(JsonObject otel) => otel.Member("headers") switch
    {
        JsonArray list => [.. list.SelectMany(h => h is JsonObject header ? [KeyValuePair.Create(header.Text("name") ?? "", header.Text("value") ?? "")] : Pairs(h.Text() ?? "")).Where(h => h.Key.Length > 0)],
        JsonObject map => [.. map.Select(h => KeyValuePair.Create(h.Key, h.Value.Text() ?? ""))],
        var text => Pairs(text.Text() ?? ""),
    };

    private static List<KeyValuePair<string, string>> Pairs(string list)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var pair in list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
                headers.Add(KeyValuePair.Create(pair[..equals].Trim(), Uri.UnescapeDataString(pair[(equals + 1)..].Trim())));
        }

        return headers;
    }

    public async Task SendAsync(IReadOnlyList<Span> spans, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_timeout);
        var message = OtlpEncoding.Request(spans, _resource, _grpc);
        using var request = new HttpRequestMessage(HttpMethod.Post, _endpoint) { Content = new ByteArrayContent(message) };
        if (_grpc)
        {
            request.Version = HttpVersion.Version20;
            request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
            request.Headers.TryAddWithoutValidation("te", "trailers");
        }

        request.Content.Headers.TryAddWithoutValidation("Content-Type", _grpc ? "application/grpc" : "application/x-protobuf");
        foreach (var (name, value) in _headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await _http.SendAsync(request, limit.Token).ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
        if (_grpc && (Trailer(response.TrailingHeaders) ?? Trailer(response.Headers)) is { } status and not "0")
            throw new HttpRequestException($"grpc-status {status}");

        static string? Trailer(HttpResponseHeaders headers) => headers.TryGetValues("grpc-status", out var values) ? values.First() : null;
    }

    public void Dispose() => _http.Dispose();
}
