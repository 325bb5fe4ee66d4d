using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>Spans of the HTTP API: names, attributes and headers as daprd's.</summary>
internal static class HttpSpans
{
    private const int LongestBaggage = 8192;
    private const int LongestMember = 4096;
    private const int MostMembers = 180;
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Begins the span of a request and puts its context into the headers of the answer, where an app's own may still take its place.</summary>
    public static Span? Start(Tracer tracer, HttpContext http, string path)
    {
        var request = http.Request.Headers;
        TraceContext parent = default;
        if (request.TraceParent is { Count: > 0 } traceparent)
            TraceContext.TryParse(traceparent.ToString(), request.TraceState.ToString(), out parent);
        var baggage = request.Baggage.ToString();
        if (tracer.StartSpan(path, SpanKind.Client, parent, baggage) is not { } span)
            return null;
        var answer = http.Response.Headers;
        answer.TraceParent = span.TraceParent;
        if (span.Context.State.Length > 0)
            answer.TraceState = span.Context.State;
        if (baggage.Length > 0)
            answer.Baggage = baggage;
        return span;
    }

    /// <summary>
    /// Whether a baggage header is well formed (https://www.w3.org/TR/baggage/): members with a name, and values of visible ASCII; not more than OpenTelemetry takes.
    /// </summary>
    public static bool IsBaggage(string baggage)
    {
        if (baggage.Length == 0)
            return true;
        if (baggage.Length > LongestBaggage)
            return false;
        var members = 0;
        foreach (var range in baggage.AsSpan().Split(','))
        {
            var member = baggage.AsSpan(range);
            if (++members > MostMembers || member.Length > LongestMember || !IsMember(member))
                return false;
        }

        return true;
    }

    // name=value, then properties behind semicolons: names with or without a value, or nothing at all.
    private static bool IsMember(ReadOnlySpan<char> member)
    {
        var isFirst = true;
        foreach (var range in member.Split(';'))
        {
            var part = member[range].Trim();
            var equals = part.IndexOf('=');
            if (isFirst ? equals < 0 : part.IsEmpty)
            {
                if (isFirst)
                    return false;
                continue;
            }

            isFirst = false;
            if (!IsName(equals < 0 ? part : part[..equals].Trim()) || (equals >= 0 && !IsValue(part[(equals + 1)..].Trim())))
                return false;
        }

        return true;
    }

    private static bool IsName(ReadOnlySpan<char> name) => !name.IsEmpty && !name.ContainsAnyExcept(NameCharacters);

    private static bool IsValue(ReadOnlySpan<char> value)
    {
        foreach (var c in value)
        {
            if (c is < '!' or > '~' or '"' or ',' or ';' or '\\')
                return false;
        }

        for (var percent = value.IndexOf('%'); percent >= 0; percent = value.IndexOf('%'))
        {
            if (value.Length < percent + 3 || !char.IsAsciiHexDigit(value[percent + 1]) || !char.IsAsciiHexDigit(value[percent + 2]))
                return false;
            value = value[(percent + 3)..];
        }

        return true;
    }

    /// <summary>Attributes and outcome, once the answer is known.</summary>
    public static void Describe(Span span, HttpContext http, string path, int status)
    {
        if (!span.IsRecording)
            return;
        var method = http.Request.Method;
        var api = $"{method} {path}";
        span.Set("dapr.api", api);
        span.Set("dapr.protocol", "http");
        span.Set("dapr.status_code", status.ToString(CultureInfo.InvariantCulture));
        span.Set("http.request.method", method);
        span.Set("url.full", path + http.Request.QueryString);
        if (http.Request.Host.HasValue)
        {
            span.Set("server.address", http.Request.Host.Host);
            if (http.Request.Host.Port is { } port)
                span.Set("server.port", port.ToString(CultureInfo.InvariantCulture));
        }

        foreach (var (name, value) in http.Request.Headers)
        {
            if (name.StartsWith("dapr-", StringComparison.OrdinalIgnoreCase) && !name.Equals("dapr-api-token", StringComparison.OrdinalIgnoreCase))
                span.Set(name.ToLowerInvariant(), value.ToString());
        }

        var parts = path.Split('/', 5);
        if (parts.Length >= 4)
        {
            switch (parts[2])
            {
                case "state" or "secrets" or "bindings":
                    span.Set("db.system", parts[2]);
                    span.Set("db.name", parts[3]);
                    span.Set("db.statement", api);
                    span.Set("db.connection_string", parts[2]);
                    break;
                case "publish":
                    span.Set("messaging.system", "pubsub");
                    break;
                case "actors" when parts.Length == 5 && parts[4].Split('/') is [var id, var what, ..] rest:
                    span.Name = what switch
                    {
                        "method" => $"CallActor/{parts[3]}/{string.Join('/', rest.Skip(2))}",
                        "timers" or "reminders" => $"{(method == "DELETE" ? "Unregister" : method == "GET" ? "Get" : "Register")}Actor{(what == "timers" ? "Timer" : "Reminder")}/{parts[3]}",
                        _ => span.Name,
                    };
                    span.Set("dapr.actor", $"{parts[3]}.{id}");
                    span.Set("rpc.service", "ServiceInvocation");
                    if (what == "method")
                        span.Set("dapr.invoke_method", string.Join('/', rest.Skip(2)));
                    break;
            }
        }

        if (status >= 400)
            span.Fail($"Code({status.ToString(CultureInfo.InvariantCulture)}): {ReasonPhrases.GetReasonPhrase(status)}");
    }
}
