using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.ServiceDefaults.Metrics;

/// <summary>Requests by route template: <c>http_requests_total</c> and <c>http_request_duration_seconds</c>. A gRPC method counts as a POST to its path.</summary>
internal sealed class HttpMetrics
{
    private readonly string _service;
    private readonly Counter<long> _requests;
    private readonly Histogram<double> _duration;

    public HttpMetrics(IMeterFactory meters, ServiceName service)
    {
        _service = service.Value;
        var meter = meters.Create("DaprPlatform.Http");
        _requests = meter.CreateCounter<long>("http_requests_total", description: "Requests answered, by route template and status.");
        _duration = meter.CreateHistogram<double>("http_request_duration_seconds", "s", "Time to answer a request, by route template.");
    }

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var started = Stopwatch.GetTimestamp();
        // The raw path would make a series of every id. Taken now, because the exception handler clears it.
        var endpoint = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "unmatched";
        try
        {
            await next(context);
        }
        finally
        {
            _requests.Add(
                1,
                new("service", _service),
                new("method", context.Request.Method),
                new("endpoint", endpoint),
                new("status_code", context.Response.StatusCode.ToString(CultureInfo.InvariantCulture)));
            _duration.Record(
                Stopwatch.GetElapsedTime(started).TotalSeconds,
                new("service", _service),
                new("method", context.Request.Method),
                new("endpoint", endpoint));
        }
    }
}

/// <summary>The app id, which is also the label <c>service</c> of its metrics.</summary>
public sealed record ServiceName(string Value);
