using System.Globalization;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>
/// Makes and exports the spans of one sidecar (https://docs.dapr.io/operations/observability/tracing/). The caller's decision counts; a trace that begins here is
/// sampled by the ratio: 1 in 10,000 unless the Configuration says otherwise, so that trace context travels even where nothing is exported. Ratio 0 is off.
/// </summary>
internal sealed class Tracer : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly double _ratio;
    private readonly SpanExporter? _exporter;

    private Tracer(TimeProvider time, double ratio, SpanExporter? exporter)
    {
        _time = time;
        _ratio = ratio;
        _exporter = exporter;
    }

    /// <summary>No spans at all.</summary>
    public static Tracer Off { get; } = new(TimeProvider.System, 0, null);

    /// <summary>False: no spans, no headers; what a caller sent is passed on untouched.</summary>
    public bool IsOn => _ratio > 0;

    /// <summary>False: nobody is told of spans, so there is nothing to record; trace context travels all the same.</summary>
    public bool Exports => _exporter is not null;

    public DateTimeOffset Now => _time.GetUtcNow();

    public static Tracer Create(SidecarOptions options, JsonObject configuration, TimeProvider time, ILoggerFactory loggers)
    {
        var tracing = configuration.Object("tracing") ?? [];
        var environment = options.Variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") ?? options.Variable("OTEL_EXPORTER_OTLP_ENDPOINT");
        var ratio = double.TryParse(tracing.Text("samplingRate"), NumberStyles.Float, CultureInfo.InvariantCulture, out var rate) ? Math.Clamp(rate, 0, 1)
            : environment is not null && tracing.Text("samplingRate") is null or "" && environment is not null ? 1 : 1e-4;
        return ratio == 0 ? Off : new Tracer(time, ratio, SpanExporter.Create(options, tracing, environment, time, loggers));
    }

    /// <summary>A span below the given context, or the first of a new trace when that is not valid. Null when tracing is off.</summary>
    /// <param name="baggage">W3C baggage to pass on.</param>
    public Span? StartSpan(string name, SpanKind kind, TraceContext parent, string baggage = "")
    {
        if (!IsOn)
            return null;
        var context = parent.IsValid ? parent.Child() : TraceContext.Root(_ratio);
        return new Span(this, name, kind, context, parent.IsValid ? parent.SpanId : 0, context.Sampled && Exports ? Now : default, baggage);
    }

    /// <summary>A span below a span of this process; below nothing when that is null.</summary>
    public Span? StartSpan(string name, SpanKind kind, Span? parent) => StartSpan(name, kind, parent?.Context ?? default, parent?.Baggage ?? "");

    /// <summary>The delivery of a message to the app: a child of the span that published it, by the event's traceparent. Null when tracing is off.</summary>
    public Span? StartDelivery(string topic, string? traceparent, string? tracestate)
    {
        if (!IsOn)
            return null;
        TraceContext.TryParse(traceparent, tracestate, out var parent);
        var span = StartSpan($"pubsub/{topic}", SpanKind.Client, parent);
        span?.Set("messaging.system", "pubsub");
        span?.Set("messaging.destination.name", topic);
        return span;
    }

    public void Export(Span span) => _exporter?.Add(span);

    /// <summary>Sends what is waiting.</summary>
    public ValueTask DisposeAsync() => _exporter?.DisposeAsync() ?? ValueTask.CompletedTask;
}
