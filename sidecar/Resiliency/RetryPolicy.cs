using System.Globalization;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Resiliency;

/// <summary>
/// How often and after which pauses something is repeated, and after which failures (https://docs.dapr.io/operations/resiliency/policies/retries/). Immutable.
/// </summary>
/// <param name="Duration">Pause, or the first one of an exponential policy.</param>
/// <param name="MaxRetries">-1 is without limit.</param>
/// <param name="MaxElapsed">No retry later than this after the begin; zero is without limit.</param>
internal sealed record RetryPolicy(bool IsExponential, TimeSpan Duration, TimeSpan MaxInterval, int MaxRetries, TimeSpan MaxElapsed)
{
    private const double Multiplier = 1.5;
    private const double Randomization = 0.5;

    private StatusRanges? Http { get; init; }

    private StatusRanges? Grpc { get; init; }

    public static RetryPolicy Constant(TimeSpan pause, int maxRetries) => new(false, pause, pause, maxRetries, TimeSpan.Zero);

    public static RetryPolicy Exponential(TimeSpan first, TimeSpan maxInterval, int maxRetries, TimeSpan maxElapsed) => new(true, first, maxInterval, maxRetries, maxElapsed);

    /// <exception cref="FormatException">A value has the wrong form.</exception>
    public static RetryPolicy Parse(JsonObject spec)
    {
        var exponential = (spec.Text("policy") ?? "constant").ToLowerInvariant() switch
        {
            "constant" or "" => false,
            "exponential" => true,
            var other => throw new FormatException($"unsupported retry policy {other}"),
        };
        var retries = spec.Text("maxRetries") is { Length: > 0 } text ? int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : throw new FormatException($"invalid maxRetries {text}") : -1;
        var duration = DurationOf(spec, exponential ? "initialInterval" : "duration", exponential ? TimeSpan.FromMilliseconds(500) : TimeSpan.FromSeconds(5));
        return new RetryPolicy(exponential, duration, DurationOf(spec, "maxInterval", TimeSpan.FromSeconds(60)), retries, exponential ? DurationOf(spec, "maxElapsedTime", TimeSpan.FromMinutes(15)) : TimeSpan.Zero)
        {
            Http = StatusRanges.Parse(spec.Object("matching")?.Text("httpStatusCodes"), 100, 599),
            Grpc = StatusRanges.Parse(spec.Object("matching")?.Text("gRPCStatusCodes"), 1, 16),
        };
    }

    /// <summary>A Go duration, or a bare number of milliseconds.</summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static TimeSpan DurationOf(JsonObject spec, string name, TimeSpan unset) => spec.Text(name) is { Length: > 0 } text ? DurationOf(text) : unset;

    /// <inheritdoc cref="DurationOf(JsonObject, string, TimeSpan)"/>
    public static TimeSpan DurationOf(string text) =>
        long.TryParse(text, CultureInfo.InvariantCulture, out var milliseconds) ? TimeSpan.FromMilliseconds(milliseconds)
        : Durations.TryParseGo(text, out var duration) ? duration
        : throw new FormatException($"invalid duration \"{text}\"");

    /// <summary>Whether a failure is one to be repeated. One without a status of the kind that is matched always is.</summary>
    public bool Matches(Verdict verdict) =>
        verdict.HttpStatus is { } http ? Http?.Contains(http) ?? true : verdict.GrpcStatus is not { } grpc || (Grpc?.Contains(grpc) ?? true);

    /// <summary>The pause before the given retry, from 1; null: no more.</summary>
    public TimeSpan? Delay(int retry, TimeSpan elapsed = default)
    {
        if (MaxRetries >= 0 && retry > MaxRetries)
            return null;
        if (!IsExponential)
            return Duration;
        var interval = Math.Min(Duration.TotalMilliseconds * Math.Pow(Multiplier, Math.Min(retry - 1, 100)), MaxInterval.TotalMilliseconds);
        var pause = TimeSpan.FromMilliseconds(interval * (1 - Randomization + Random.Shared.NextDouble() * 2 * Randomization));
        return MaxElapsed > TimeSpan.Zero && elapsed + pause > MaxElapsed ? null : pause;
    }

    /// <summary>Single codes and ranges: <c>429,500-599</c>.</summary>
    private sealed class StatusRanges(List<(int From, int To)> ranges)
    {
        public static StatusRanges? Parse(string? text, int least, int most)
        {
            if (string.IsNullOrWhiteSpace(text))
                return null;
            var ranges = new List<(int, int)>();
            foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                var ends = part.Split('-', StringSplitOptions.TrimEntries);
                if (ends.Length > 2 || !int.TryParse(ends[0], CultureInfo.InvariantCulture, out var from) || !int.TryParse(ends[^1], CultureInfo.InvariantCulture, out var to) || from > to || from < least || to > most)
                    throw new FormatException($"invalid status code range \"{part}\"");
                ranges.Add((from, to));
            }

            return new StatusRanges(ranges);
        }

        public bool Contains(int status) => ranges.Exists(r => status >= r.From && status <= r.To);
    }
}
