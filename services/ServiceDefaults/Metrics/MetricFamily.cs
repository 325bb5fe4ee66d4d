using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace DaprPlatform.ServiceDefaults.Metrics;

internal enum MetricKind { Counter, Gauge, Histogram }

/// <summary>All series of one instrument.</summary>
internal sealed class MetricFamily
{
    private static readonly double[] DefaultBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
    private const int KeyBuffer = 512;

    private readonly string _name;
    private readonly string _help;
    private readonly MetricKind _kind;
    private readonly bool _observed;
    private readonly double[] _bounds;
    private readonly Action _onDropped;
    private readonly ConcurrentDictionary<string, Series> _series = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Series>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    public MetricFamily(string name, Instrument instrument, MetricKind kind, bool observed, Action onDropped)
    {
        _name = name;
        _help = string.IsNullOrWhiteSpace(instrument.Description) ? instrument.Name : instrument.Description;
        _kind = kind;
        _observed = observed;
        _onDropped = onDropped;
        _lookup = _series.GetAlternateLookup<ReadOnlySpan<char>>();
        _bounds = instrument switch
        {
            Histogram<double> { Advice.HistogramBucketBoundaries: { } advised } => [.. advised],
            _ => DefaultBounds,
        };
    }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        Span<char> buffer = stackalloc char[KeyBuffer];
        var length = WriteLabels(tags, buffer);
        Series? series;
        if (length >= 0)
        {
            var key = buffer[..length];
            if (!_lookup.TryGetValue(key, out series))
                series = Add(key.ToString());
        }
        else
        {
            series = Add(LongLabels(tags));
        }
        if (series is null)
            return;
        lock (series)
        {
            switch (_kind)
            {
                case MetricKind.Counter when !_observed:
                    series.Value += value;
                    break;
                case MetricKind.Counter:
                    series.Value = value;
                    break;
                case MetricKind.Gauge:
                    series.Value = _observed ? value : series.Value + value;
                    break;
                default:
                    series.Value += value;
                    series.Count++;
                    var bucket = Array.BinarySearch(_bounds, value);
                    series.Buckets![bucket >= 0 ? bucket : ~bucket]++;
                    break;
            }
        }
    }

    public void Write(StringBuilder text)
    {
        text.Append("# HELP ").Append(_name).Append(' ').Append(_help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('\n');
        text.Append("# TYPE ").Append(_name).Append(' ').Append(_kind switch { MetricKind.Counter => "counter", MetricKind.Gauge => "gauge", _ => "histogram" }).Append('\n');
        foreach (var (labels, series) in _series.OrderBy(s => s.Key, StringComparer.Ordinal))
        {
            lock (series)
            {
                if (_kind != MetricKind.Histogram)
                {
                    Sample(text, "", labels, null, series.Value);
                    continue;
                }
                long cumulative = 0;
                for (var i = 0; i < _bounds.Length; i++)
                {
                    cumulative += series.Buckets![i];
                    Sample(text, "_bucket", labels, _bounds[i].ToString("R", CultureInfo.InvariantCulture), cumulative);
                }
                Sample(text, "_bucket", labels, "+Inf", series.Count);
                Sample(text, "_sum", labels, null, series.Value);
                Sample(text, "_count", labels, null, series.Count);
            }
        }
    }

    private void Sample(StringBuilder text, string suffix, string labels, string? bound, double value)
    {
        text.Append(_name).Append(suffix);
        if (labels.Length > 0 || bound is not null)
        {
            text.Append('{').Append(labels);
            if (bound is not null)
                text.Append(labels.Length > 0 ? "," : "").Append("le=\"").Append(bound).Append('"');
            text.Append('}');
        }
        text.Append(' ').Append(double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
    }

    private Series? Add(string labels)
    {
        if (_series.TryGetValue(labels, out var existing))
            return existing;
        if (_series.Count >= PrometheusExporter.MaxSeries)
        {
            _onDropped();
            return null;
        }
        return _series.GetOrAdd(labels, static (_, self) => new Series(self._kind == MetricKind.Histogram ? self._bounds.Length + 1 : 0), this);
    }

    /// <summary>Labels in the order given (each call site has one order), or -1 when they do not fit.</summary>
    private static int WriteLabels(ReadOnlySpan<KeyValuePair<string, object?>> tags, Span<char> buffer)
    {
        var at = 0;
        foreach (var (key, tag) in tags)
        {
            var value = tag as string ?? Convert.ToString(tag, CultureInfo.InvariantCulture) ?? "";
            // Every character may need an escape.
            if (at + key.Length + (value.Length * 2) + 4 > buffer.Length)
                return -1;
            if (at > 0)
                buffer[at++] = ',';
            foreach (var c in key)
                buffer[at++] = char.IsAsciiLetterOrDigit(c) ? c : '_';
            buffer[at++] = '=';
            buffer[at++] = '"';
            foreach (var c in value)
            {
                if (c is '\\' or '"' or '\n')
                    buffer[at++] = '\\';
                buffer[at++] = c == '\n' ? 'n' : c;
            }
            buffer[at++] = '"';
        }
        return at;
    }

    private static string LongLabels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var size = KeyBuffer;
        while (true)
        {
            size *= 2;
            var buffer = new char[size];
            if (WriteLabels(tags, buffer) is >= 0 and var length)
                return new string(buffer, 0, length);
        }
    }

    private sealed class Series(int buckets)
    {
        public double Value;
        public long Count;
        public readonly long[]? Buckets = buckets == 0 ? null : new long[buckets];
    }
}
