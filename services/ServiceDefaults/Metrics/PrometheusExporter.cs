using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace DaprPlatform.ServiceDefaults.Metrics;

/// <summary>Collects the meters of this process and writes them in Prometheus' text format (0.0.4). Thread-safe.</summary>
/// <remarks>
/// Collects meters named <c>DaprPlatform.*</c> under the names their instruments have, and <c>System.Runtime</c> with dots made underscores.
/// An instrument keeps at most <see cref="MaxSeries"/> label sets; further ones are counted in <c>metrics_series_dropped_total</c>.
/// </remarks>
public sealed class PrometheusExporter : IDisposable
{
    /// <summary>Label sets kept per instrument.</summary>
    public const int MaxSeries = 2_000;

    private readonly MeterListener _listener = new();
    private readonly SortedDictionary<string, MetricFamily> _families = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly Func<Meter, bool> _accepts;
    private long _dropped;

    /// <param name="accepts">Which meters; null for the default set.</param>
    public PrometheusExporter(Func<Meter, bool>? accepts = null)
    {
        _accepts = accepts ?? (static meter => meter.Name == "System.Runtime" || meter.Name.StartsWith("DaprPlatform.", StringComparison.Ordinal));
        _listener.InstrumentPublished = OnPublished;
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((MetricFamily)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => ((MetricFamily)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) => ((MetricFamily)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<float>(static (_, value, tags, state) => ((MetricFamily)state!).Record(value, tags));
        _listener.Start();
    }

    /// <summary>All series, families in order of name.</summary>
    public string Write()
    {
        var text = new StringBuilder(4096);
        lock (_lock)
        {
            _listener.RecordObservableInstruments();
            foreach (var family in _families.Values)
                family.Write(text);
        }
        text.Append("# HELP metrics_series_dropped_total Label sets that were not kept because their instrument had too many.\n")
            .Append("# TYPE metrics_series_dropped_total counter\n")
            .Append(CultureInfo.InvariantCulture, $"metrics_series_dropped_total {Interlocked.Read(ref _dropped)}\n");
        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private void OnPublished(Instrument instrument, MeterListener listener)
    {
        if (!_accepts(instrument.Meter))
            return;
        var definition = instrument.GetType().GetGenericTypeDefinition();
        var kind = definition == typeof(Histogram<>) ? MetricKind.Histogram
            : definition == typeof(Counter<>) || definition == typeof(ObservableCounter<>) ? MetricKind.Counter
            : MetricKind.Gauge;
        var observed = instrument.IsObservable;
        var name = NameOf(instrument, kind);
        MetricFamily? family;
        lock (_lock)
        {
            // Two meters of one name (a test host started twice) share their series.
            if (!_families.TryGetValue(name, out family))
                _families[name] = family = new MetricFamily(name, instrument, kind, observed, () => Interlocked.Increment(ref _dropped));
        }
        listener.EnableMeasurementEvents(instrument, family);
    }

    private static string NameOf(Instrument instrument, MetricKind kind)
    {
        if (instrument.Name.IndexOf('.') < 0)
            return instrument.Name;
        var name = instrument.Name.Replace('.', '_');
        var unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        return name + unit + (kind == MetricKind.Counter ? "_total" : "");
    }
}
