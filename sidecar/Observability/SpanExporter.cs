using System.Text.Json.Nodes;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>Sends ended spans away in batches; what cannot be sent is logged once for each failure and dropped.</summary>
internal sealed partial class SpanExporter : IAsyncDisposable
{
    private const int LargestBatch = 512;
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    // What comes faster than it can be sent is dropped: tracing must not hold a sidecar up.
    private readonly Channel<Span> _ended = Channel.CreateBounded<Span>(new BoundedChannelOptions(8192) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite });
    private readonly IReadOnlyList<ISpanSink> _sinks;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;

    private SpanExporter(IReadOnlyList<ISpanSink> sinks, TimeProvider time, ILogger logger)
    {
        _sinks = sinks;
        _time = time;
        _logger = logger;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Null where the Configuration names no collector.</summary>
    public static SpanExporter? Create(SidecarOptions options, JsonObject tracing, string? otlpEndpoint, TimeProvider time, ILoggerFactory loggers)
    {
        var sinks = new List<ISpanSink>();
        var resource = TraceResource.Of(options);
        if (tracing.Flag("stdout") == true)
            sinks.Add(new StdoutSink(resource));
        if (tracing.Object("zipkin")?.Text("endpointAddress") is { Length: > 0 } zipkin)
            sinks.Add(new ZipkinSink(new Uri(zipkin), resource));
        if (OtlpSink.Create(options, tracing.Object("otel"), otlpEndpoint, resource) is { } otlp)
            sinks.Add(otlp);
        return sinks.Count == 0 ? null : new SpanExporter(sinks, time, loggers.CreateLogger("dapr.runtime"));
    }

    public void Add(Span span) => _ended.Writer.TryWrite(span);

    public async ValueTask DisposeAsync()
    {
        _ended.Writer.TryComplete();
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var sink in _sinks)
            sink.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var batch = new List<Span>(LargestBatch);
        while (await _ended.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            if (_ended.Reader.Count < LargestBatch)
                await Task.Delay(Gather, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            batch.Clear();
            while (batch.Count < LargestBatch && _ended.Reader.TryRead(out var span))
                batch.Add(span);
            foreach (var sink in _sinks)
            {
                using var limit = new CancellationTokenSource(_stopping.IsCancellationRequested ? Farewell : TimeSpan.FromSeconds(10), _time);
                try
                {
                    await sink.SendAsync(batch, limit.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or Grpc.Core.RpcException)
                {
                    LogFailure(batch.Count, sink.Description, e.Message);
                }
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "failed to export {Count} spans to {Collector}: {Reason}")]
    private partial void LogFailure(int count, string collector, string reason);
}

/// <summary>A collector of spans.</summary>
internal interface ISpanSink : IDisposable
{
    string Description { get; }

    Task SendAsync(IReadOnlyList<Span> spans, CancellationToken cancellationToken);
}

/// <summary>What all spans of a sidecar have in common: <c>service.name</c> (OTEL_SERVICE_NAME, else the app id) and OTEL_RESOURCE_ATTRIBUTES.</summary>
internal sealed record TraceResource(string ServiceName, IReadOnlyList<KeyValuePair<string, string>> Attributes)
{
    /// <summary>Name of the instrumentation, as exporters show it.</summary>
    public const string Scope = "dapr-diagnostics";

    public static TraceResource Of(SidecarOptions options)
    {
        var attributes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in (options.Variable("OTEL_RESOURCE_ATTRIBUTES") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
                attributes[pair[..equals].Trim()] = Uri.UnescapeDataString(pair[(equals + 1)..].Trim());
        }

        var service = options.Variable("OTEL_SERVICE_NAME") ?? attributes.GetValueOrDefault("service.name") ?? options.AppId;
        attributes["service.name"] = service;
        return new TraceResource(service, [.. attributes]);
    }
}
