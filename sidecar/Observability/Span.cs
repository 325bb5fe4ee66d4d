namespace DaprPlatform.Sidecar.Observability;

/// <summary>OpenTelemetry's kinds, by their number in OTLP.</summary>
internal enum SpanKind
{
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// <summary>
/// One operation of a trace. A span that is not sampled has its context, so that the trace can be passed on, and records nothing. It is exported when it is
/// disposed of. Not thread-safe: it belongs to the operation it stands for.
/// </summary>
internal sealed class Span : IDisposable
{
    private static readonly AsyncLocal<Span?> Ambient = new();
    private readonly Tracer _tracer;
    private List<KeyValuePair<string, object>>? _attributes;
    private bool _ended;

    public Span(Tracer tracer, string name, SpanKind kind, TraceContext context, ulong parentSpanId, DateTimeOffset start, string baggage)
    {
        _tracer = tracer;
        Name = name;
        Kind = kind;
        Context = context;
        ParentSpanId = parentSpanId;
        Start = start;
        Baggage = baggage;
    }

    /// <summary>The span of the request or delivery that the current flow works for; null outside of one, and where tracing is off.</summary>
    public static Span? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public string Name { get; set; }

    public SpanKind Kind { get; set; }

    public TraceContext Context { get; }

    /// <summary>0 for the first of a trace.</summary>
    public ulong ParentSpanId { get; }

    public DateTimeOffset Start { get; }

    public DateTimeOffset End { get; private set; }

    /// <summary>W3C baggage of the request, as it came; empty is none.</summary>
    public string Baggage { get; }

    /// <summary>True when it will be exported; setting attributes is pointless otherwise.</summary>
    public bool IsRecording => Context.Sampled && _tracer.Exports && !_ended;

    /// <summary>Null: no error.</summary>
    public string? Error { get; private set; }

    public IReadOnlyList<KeyValuePair<string, object>> Attributes => _attributes ?? [];

    public string TraceParent => Context.TraceParent;

    /// <summary>Text, whole number, double or boolean.</summary>
    public void Set(string name, object value)
    {
        if (!IsRecording)
            return;
        _attributes ??= new List<KeyValuePair<string, object>>(12);
        for (var i = 0; i < _attributes.Count; i++)
        {
            if (_attributes[i].Key == name)
            {
                _attributes[i] = KeyValuePair.Create(name, value);
                return;
            }
        }

        _attributes.Add(KeyValuePair.Create(name, value));
    }

    public void Fail(string description) => Error = description;

    public void Dispose()
    {
        if (_ended)
            return;
        var record = IsRecording;
        _ended = true;
        if (!record)
            return;
        End = _tracer.Now;
        _tracer.Export(this);
    }
}
