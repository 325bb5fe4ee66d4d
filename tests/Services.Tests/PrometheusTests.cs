using System.Diagnostics.Metrics;
using DaprPlatform.ServiceDefaults.Metrics;
using Xunit;

namespace DaprPlatform.Services.Tests;

public sealed class PrometheusTests
{
    [Fact]
    public void Counters_and_histograms_have_help_type_and_escaped_labels()
    {
        using var meter = new Meter("Test.Prometheus");
        using var exporter = new PrometheusExporter(m => ReferenceEquals(m, meter));
        var counter = meter.CreateCounter<long>("things_total", description: "Things.");
        counter.Add(2, new KeyValuePair<string, object?>("name", "a\"b\\c\nd"));
        counter.Add(1, new KeyValuePair<string, object?>("name", "a\"b\\c\nd"));
        var histogram = meter.CreateHistogram<double>("took_seconds", "s", "Time.");
        histogram.Record(0.005);
        histogram.Record(99);
        var text = exporter.Write();
        Assert.Contains("# HELP things_total Things.\n# TYPE things_total counter\nthings_total{name=\"a\\\"b\\\\c\\nd\"} 3\n", text, StringComparison.Ordinal);
        Assert.Contains("# TYPE took_seconds histogram\n", text, StringComparison.Ordinal);
        Assert.Contains("took_seconds_bucket{le=\"0.0025\"} 0\n", text, StringComparison.Ordinal);
        Assert.Contains("took_seconds_bucket{le=\"0.005\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("took_seconds_bucket{le=\"10\"} 1\ntook_seconds_bucket{le=\"+Inf\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("took_seconds_count 2\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_many_label_sets_are_dropped_and_counted()
    {
        using var meter = new Meter("Test.Cardinality");
        using var exporter = new PrometheusExporter(m => ReferenceEquals(m, meter));
        var counter = meter.CreateCounter<long>("ids_total");
        for (var i = 0; i < PrometheusExporter.MaxSeries + 5; i++)
            counter.Add(1, new KeyValuePair<string, object?>("id", i));
        Assert.Contains("metrics_series_dropped_total 5\n", exporter.Write(), StringComparison.Ordinal);
    }
}
