using System.Diagnostics;
using DaprPlatform.Sidecar.Observability;

namespace DaprPlatform.Sidecar.Introspection;

/// <param name="Block">Building block: <c>state</c>, <c>pubsub</c>, <c>invoke</c>, <c>workflow</c> and the like; <c>runtime</c> for metadata and health.</param>
public sealed record CallRate(string App, string Block, double PerSecond, double ErrorsPerSecond);

/// <summary>Counters of calls at a moment.</summary>
public sealed class CallSample
{
    internal CallSample(long timestamp, IReadOnlyDictionary<(string App, string Block), (double Calls, double Errors)> counts) => (Timestamp, Counts) = (timestamp, counts);

    internal long Timestamp { get; }

    internal IReadOnlyDictionary<(string App, string Block), (double Calls, double Errors)> Counts { get; }
}

/// <summary>Calls of apps to the APIs of their sidecars by building block, from the counters that the metrics have anyway. Where metrics are off there is nothing to count.</summary>
public sealed class CallRates
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);
    private readonly RuntimeView _view;
    private readonly Lock _lock = new();
    private CallSample? _last;

    internal CallRates(RuntimeView view) => _view = view;

    public CallSample Take()
    {
        var counts = new Dictionary<(string, string), (double, double)>();
        foreach (var runtime in _view.Runtimes)
        {
            var app = runtime.Options.AppId;
            var registry = runtime.Metrics.Registry;
            foreach (var (labels, value) in registry.Find("dapr_http_server_request_count")?.Values ?? [])
                Add(app, BlockOfPath(labels[1]), value, labels[2].Length == 3 && labels[2][0] == '5');
            foreach (var (labels, value) in registry.Find("dapr_grpc_io_server_completed_rpcs")?.Values ?? [])
                Add(app, BlockOfMethod(labels[0]), value, labels[1] is "Internal" or "Unavailable" or "Unknown" or "DeadlineExceeded" or "DataLoss" or "ResourceExhausted");
        }

        return new CallSample(_view.Engine.Time.GetTimestamp(), counts);

        void Add(string app, string block, double calls, bool failed)
        {
            var (before, errors) = counts.GetValueOrDefault((app, block));
            counts[(app, block)] = (before + calls, errors + (failed ? calls : 0));
        }
    }

    /// <summary>What was between two samples; by app and block, those without a call left out.</summary>
    public IReadOnlyList<CallRate> Between(CallSample before, CallSample after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        var seconds = _view.Engine.Time.GetElapsedTime(before.Timestamp, after.Timestamp).TotalSeconds;
        var rates = new List<CallRate>();
        foreach (var ((app, block), (calls, errors)) in after.Counts)
        {
            // A sidecar that was started again counts from zero.
            var (callsBefore, errorsBefore) = before.Counts.TryGetValue((app, block), out var known) && known.Calls <= calls ? known : (0, 0);
            if (calls > callsBefore && seconds > 0)
                rates.Add(new CallRate(app, block, Math.Round((calls - callsBefore) / seconds, 2), Math.Round(Math.Max(0, errors - errorsBefore) / seconds, 2)));
        }

        return [.. rates.OrderBy(r => r.App, StringComparer.Ordinal).ThenBy(r => r.Block, StringComparer.Ordinal)];
    }

    /// <summary>Rates since the last time somebody asked, if that is between one and thirty seconds ago; else they are measured for a second.</summary>
    public async Task<IReadOnlyList<CallRate>> NowAsync(CancellationToken cancellationToken)
    {
        var now = Take();
        CallSample? before;
        lock (_lock)
        {
            before = _last;
            if (before is null || _view.Engine.Time.GetElapsedTime(before.Timestamp, now.Timestamp) >= Shortest)
                _last = now;
        }

        if (before is not null && _view.Engine.Time.GetElapsedTime(before.Timestamp, now.Timestamp) is var age && age >= Shortest && age <= Longest)
            return Between(before, now);
        await Task.Delay(Shortest, _view.Engine.Time, cancellationToken).ConfigureAwait(false);
        return Between(now, Take());
    }

    internal static string BlockOfPath(string path)
    {
        // /v1.0/state/store, /v1.0-alpha1/lock/store; anything else is an invocation by header.
        if (!path.StartsWith("/v1.0", StringComparison.Ordinal))
            return path.StartsWith("/dapr/", StringComparison.Ordinal) || path.StartsWith("/platform/", StringComparison.Ordinal) ? "runtime" : "invoke";
        var start = path.IndexOf('/', 1) + 1;
        if (start == 0)
            return "runtime";
        var end = path.IndexOf('/', start);
        return (end < 0 ? path[start..] : path[start..end]) switch
        {
            "publish" => "pubsub",
            "unlock" => "lock",
            "workflows" => "workflow",
            "actors" => "actor",
            "bindings" => "binding",
            "jobs" => "job",
            "secrets" => "secret",
            var same and ("state" or "invoke" or "lock" or "configuration" or "crypto" or "subtlecrypto" or "conversation") => same,
            _ => "runtime",
        };
    }

    internal static string BlockOfMethod(string method)
    {
        if (method.StartsWith("/TaskHubSidecarService/", StringComparison.Ordinal))
            return "workflow";
        if (!method.StartsWith("/dapr.proto.runtime.v1.Dapr/", StringComparison.Ordinal))
            return "invoke";
        var name = method["/dapr.proto.runtime.v1.Dapr/".Length..];
        ReadOnlySpan<(string Part, string Block)> parts =
        [
            ("InvokeActor", "actor"), ("Actor", "actor"), ("InvokeService", "invoke"), ("InvokeBinding", "binding"), ("Workflow", "workflow"), ("State", "state"), ("Publish", "pubsub"), ("Topic", "pubsub"),
            ("Secret", "secret"), ("Configuration", "configuration"), ("Lock", "lock"), ("lock", "lock"), ("Job", "job"), ("Crypt", "crypto"), ("crypt", "crypto"), ("Subtle", "subtlecrypto"), ("Converse", "conversation"),
        ];
        foreach (var (part, block) in parts)
        {
            if (name.Contains(part, StringComparison.Ordinal))
                return block;
        }

        return "runtime";
    }
}
