namespace DaprPlatform.Cli.OpsConsole.Traces;

internal enum SpanStatus
{
    Unset,
    Ok,
    Error,
}

internal enum SpanKindName
{
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// <summary>One operation as it was received.</summary>
/// <param name="Start">Nanoseconds since 1970.</param>
/// <param name="End">Nanoseconds since 1970.</param>
internal sealed record ReceivedSpan(
    string TraceId, string SpanId, string? ParentId, string Service, string Name, SpanKindName Kind, ulong Start, ulong End, SpanStatus Status, string? Message,
    IReadOnlyList<KeyValuePair<string, object>> Attributes)
{
    private const int BytesOfItself = 260;
    private const int BytesOfAttribute = 64;

    /// <summary>What it takes to keep it, roughly.</summary>
    public int Bytes => BytesOfItself + ((SpanId.Length + Name.Length + (Message?.Length ?? 0)) * 2) + Attributes.Sum(a => BytesOfAttribute + (a.Value is string text ? text.Length * 2 : 24));
}

/// <param name="Ms">From the first beginning to the last end.</param>
/// <param name="Errors">Spans that failed.</param>
/// <param name="OrderId">Of the order that it is about.</param>
internal sealed record TraceSummary(string TraceId, DateTimeOffset At, double Ms, string RootService, string RootName, int Spans, int Errors, IReadOnlyList<string> Services, string? OrderId);

/// <param name="OffsetMs">After the beginning of the trace.</param>
internal sealed record SpanView(
    string SpanId, string? ParentId, string Service, string Name, SpanKindName Kind, DateTimeOffset At, double OffsetMs, double Ms, SpanStatus Status, string? Message,
    IReadOnlyDictionary<string, object> Attributes);

/// <param name="Dropped">Spans beyond those that are kept of one trace.</param>
internal sealed record TraceView(string TraceId, DateTimeOffset At, double Ms, string? OrderId, int Dropped, IReadOnlyList<SpanView> Spans);

/// <summary>Which traces are wanted.</summary>
internal sealed record TraceFilter(string? Service, string? Text, string? Order, double? MinMs, bool ErrorsOnly)
{
    public bool Wants(TraceSummary trace, IReadOnlyList<ReceivedSpan> spans) =>
        (!ErrorsOnly || trace.Errors > 0)
        && (MinMs is not { } least || trace.Ms >= least)
        && (Service is null || trace.Services.Contains(Service))
        && (Order is null || trace.OrderId == Order || spans.Any(s => s.Attributes.Any(a => a.Value is string value && value.Contains(Order, StringComparison.Ordinal))))
        && (Text is null || trace.TraceId.StartsWith(Text, StringComparison.OrdinalIgnoreCase)
            || spans.Any(s => s.Name.Contains(Text, StringComparison.OrdinalIgnoreCase) || s.Attributes.Any(a => a.Value is string value && value.Contains(Text, StringComparison.OrdinalIgnoreCase))));
}

/// <summary>The newest traces, in memory: at most so many and so many bytes, the oldest go first. Thread-safe.</summary>
internal sealed class TraceStore(Action<string>? changed = null, int mostTraces = 5_000, long mostBytes = 64 << 20)
{
    private const int MostSpansOfTrace = 2_000;
    private const string OrderService = "orders";
    private const string OrderPath = "/orders/";
    private const int LengthOfId = 36;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Trace> _traces = new(StringComparer.Ordinal);
    private readonly LinkedList<Trace> _order = new();
    private long _bytes;
    private long _number;

    private sealed class Trace(string id, long number)
    {
        public string Id => id;

        public long Number => number;

        public List<ReceivedSpan> Spans { get; } = [];

        public HashSet<string> Ids { get; } = new(StringComparer.Ordinal);

        public int Dropped { get; set; }

        public long Bytes { get; set; }
    }

    public int Count
    {
        get
        {
            lock (_lock)
                return _traces.Count;
        }
    }

    public long Bytes
    {
        get
        {
            lock (_lock)
                return _bytes;
        }
    }

    public void Add(IReadOnlyList<ReceivedSpan> spans)
    {
        var touched = new HashSet<string>(StringComparer.Ordinal);
        lock (_lock)
        {
            foreach (var span in spans)
            {
                if (!_traces.TryGetValue(span.TraceId, out var trace))
                {
                    trace = _traces[span.TraceId] = new Trace(span.TraceId, ++_number);
                    _order.AddLast(trace);
                }

                // An exporter that got no answer sends again.
                if (!trace.Ids.Add(span.SpanId))
                    continue;
                if (trace.Spans.Count >= MostSpansOfTrace)
                {
                    trace.Ids.Remove(span.SpanId);
                    trace.Dropped++;
                    continue;
                }

                // One text for the id, whatever number of spans has it.
                trace.Spans.Add(span with { TraceId = trace.Id });
                var bytes = span.Bytes;
                trace.Bytes += bytes;
                _bytes += bytes;
                touched.Add(trace.Id);
            }

            while (_order.First is { } oldest && (_traces.Count > mostTraces || (_bytes > mostBytes && _traces.Count > 1)))
            {
                _order.RemoveFirst();
                _traces.Remove(oldest.Value.Id);
                _bytes -= oldest.Value.Bytes;
                touched.Remove(oldest.Value.Id);
            }
        }

        foreach (var id in touched)
            changed?.Invoke(id);
    }

    /// <summary>The newest first.</summary>
    /// <param name="filter">What is wanted.</param>
    /// <param name="before">The cursor of an earlier page; null begins with the newest.</param>
    /// <param name="limit">At most so many.</param>
    public (IReadOnlyList<TraceSummary> Items, long? Next) List(TraceFilter filter, long? before, int limit)
    {
        var found = new List<TraceSummary>();
        long last = 0;
        foreach (var trace in Snapshot(before))
        {
            if (found.Count == limit)
                return (found, last);
            IReadOnlyList<ReceivedSpan> spans;
            lock (_lock)
                spans = [.. trace.Spans];
            if (Summarize(trace.Id, spans) is var summary && filter.Wants(summary, spans))
                found.Add(summary);
            last = trace.Number;
        }

        return (found, null);
    }

    public TraceSummary? Summary(string id)
    {
        lock (_lock)
            return _traces.TryGetValue(id, out var trace) ? Summarize(id, trace.Spans) : null;
    }

    /// <summary>Null: there is none of this id, or no more.</summary>
    public TraceView? Find(string id)
    {
        List<ReceivedSpan> spans;
        int dropped;
        lock (_lock)
        {
            if (!_traces.TryGetValue(id, out var trace))
                return null;
            (spans, dropped) = ([.. trace.Spans], trace.Dropped);
        }

        var start = spans.Min(s => s.Start);
        return new TraceView(id, Time(start), Milliseconds(start, spans.Max(s => s.End)), OrderOf(spans), dropped,
        [
            .. spans.OrderBy(s => s.Start).ThenByDescending(s => s.End).Select(s => new SpanView(s.SpanId, s.ParentId, s.Service, s.Name, s.Kind, Time(s.Start), Milliseconds(start, s.Start),
                Milliseconds(s.Start, s.End), s.Status, s.Message, s.Attributes.DistinctBy(a => a.Key).ToDictionary(a => a.Key, a => a.Value is string text ? Secrets.Show(a.Key, text) : a.Value))),
        ]);
    }

    // Lists are made outside of the lock, and only of the traces that a page takes: who sends spans does not wait for who looks.
    private List<Trace> Snapshot(long? before)
    {
        lock (_lock)
        {
            var taken = new List<Trace>(_order.Count);
            for (var node = _order.Last; node is not null; node = node.Previous)
            {
                if (before is null || node.Value.Number < before)
                    taken.Add(node.Value);
            }

            return taken;
        }
    }

    private static TraceSummary Summarize(string id, IReadOnlyList<ReceivedSpan> spans)
    {
        var ids = spans.Select(s => s.SpanId).ToHashSet(StringComparer.Ordinal);
        var start = spans.Min(s => s.Start);
        // A parent that is somebody else's (a browser, a test) is not here; then the first that has none here.
        var root = spans.Where(s => s.ParentId is null || !ids.Contains(s.ParentId)).DefaultIfEmpty(spans[0]).MinBy(s => (s.ParentId is null ? 0 : 1, s.Start))!;
        return new TraceSummary(id, Time(start), Milliseconds(start, spans.Max(s => s.End)), root.Service, root.Name, spans.Count, spans.Count(s => s.Status == SpanStatus.Error),
            [.. spans.Select(s => s.Service).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)], OrderOf(spans));
    }

    // Paths name the order they lead to. The workflow of an order has its id, too; workflows of other services (refunds, webhooks) have ids of their own.
    private static string? OrderOf(IReadOnlyList<ReceivedSpan> spans)
    {
        string? ofWorkflow = null;
        foreach (var span in spans)
        {
            foreach (var (name, value) in span.Attributes)
            {
                if (value is not string text)
                    continue;
                if (name is "order.id")
                    return text;
                if (name is "url.path" or "url.full" && text.IndexOf(OrderPath, StringComparison.Ordinal) is >= 0 and var at
                    && text.Length >= at + OrderPath.Length + LengthOfId && Guid.TryParse(text.AsSpan(at + OrderPath.Length, LengthOfId), out _))
                {
                    return text.Substring(at + OrderPath.Length, LengthOfId);
                }

                if (ofWorkflow is null && name is "durabletask.task.instance_id" && span.Service is OrderService or OrderService + ".daprd" && Guid.TryParse(text, out _))
                    ofWorkflow = text;
            }
        }

        return ofWorkflow;
    }

    private static DateTimeOffset Time(ulong nanoseconds) => DateTimeOffset.UnixEpoch.AddTicks((long)(nanoseconds / 100));

    private static double Milliseconds(ulong from, ulong to) => to > from ? Math.Round((to - from) / 1e6, 3) : 0;
}
