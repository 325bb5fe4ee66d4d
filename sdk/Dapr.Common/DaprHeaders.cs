using System.Diagnostics;
using System.Net.Http.Headers;
using System.Reflection;
using Grpc.Core;

namespace Dapr.Common;

/// <summary>What every request to the sidecar carries: the token, who asks, and the trace it belongs to.</summary>
internal static class DaprHeaders
{
    internal const string ApiToken = "dapr-api-token";

    internal static readonly ProductInfoHeaderValue UserAgent = new("dapr-sdk-dotnet", "v" + Version());

    static readonly string UserAgentText = UserAgent.ToString();

    internal static CallOptions CallOptions(string? apiToken, CancellationToken cancellationToken)
    {
        var headers = new Metadata { { "user-agent", UserAgentText } };
        if (!string.IsNullOrWhiteSpace(apiToken))
            headers.Add(ApiToken, apiToken);
        if (Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } traceparent } activity)
        {
            headers.Add("traceparent", traceparent);
            if (!string.IsNullOrEmpty(activity.TraceStateString))
                headers.Add("tracestate", activity.TraceStateString);
            headers.Add("grpc-trace-bin", Binary(activity));
        }

        return new CallOptions(headers, cancellationToken: cancellationToken);
    }

    // An HttpClient adds the trace by itself.
    internal static void Set(HttpRequestHeaders headers, string? apiToken)
    {
        headers.UserAgent.Add(UserAgent);
        if (!string.IsNullOrWhiteSpace(apiToken))
            headers.TryAddWithoutValidation(ApiToken, apiToken);
    }

    // OpenCensus' binary form: version 0, then each field after its number.
    static byte[] Binary(Activity activity)
    {
        var bytes = new byte[29];
        activity.TraceId.CopyTo(bytes.AsSpan(2, 16));
        bytes[18] = 1;
        activity.SpanId.CopyTo(bytes.AsSpan(19, 8));
        bytes[27] = 2;
        bytes[28] = (byte)activity.ActivityTraceFlags;
        return bytes;
    }

    static string Version()
    {
        var version = typeof(DaprHeaders).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
        var build = version.IndexOf('+');
        return build < 0 ? version : version[..build];
    }
}
