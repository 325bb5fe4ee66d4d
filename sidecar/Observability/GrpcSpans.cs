using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>Spans of the gRPC API.</summary>
internal static class GrpcSpans
{
    /// <summary>Begins the span of a call; its context goes into the headers of the answer.</summary>
    public static Span? Start(Tracer tracer, HttpContext http, string path)
    {
        var request = http.Request.Headers;
        TraceContext parent = default;
        if (request["grpc-trace-bin"].ToString() is { Length: > 0 } binary && TryBase64(binary, out var bytes))
            TraceContext.TryParseBinary(bytes, out parent);
        if (!parent.IsValid)
            TraceContext.TryParse(request.TraceParent.ToString(), "", out parent);
        if (tracer.StartSpan(path, SpanKind.Client, parent, request.Baggage.ToString()) is not { } span)
            return null;
        http.Response.Headers.TraceParent = span.TraceParent;
        if (span.Baggage.Length > 0 && HttpSpans.IsBaggage(span.Baggage))
            http.Response.Headers.Baggage = span.Baggage;
        http.Response.Headers["grpc-trace-bin"] = Convert.ToBase64String(span.Context.ToBinary()).TrimEnd('=');
        if (span.IsRecording)
        {
            span.Set("dapr.api", path);
            span.Set("dapr.protocol", "grpc");
            span.Set("rpc.service", ServiceOf(path));
            foreach (var (name, value) in request)
            {
                if (name.StartsWith("dapr-", StringComparison.OrdinalIgnoreCase) && !name.Equals("dapr-api-token", StringComparison.OrdinalIgnoreCase))
                    span.Set(name.ToLowerInvariant(), value.ToString());
            }
        }

        return span;
    }

    /// <summary>The service of a method's path, without its package.</summary>
    public static string ServiceOf(string path)
    {
        var service = path.AsSpan().TrimStart('/');
        if (service.IndexOf('/') is var slash and >= 0)
            service = service[..slash];
        return service[(service.LastIndexOf('.') + 1)..].ToString();
    }

    private static bool TryBase64(string text, out byte[] bytes)
    {
        bytes = new byte[text.Length];
        if (!Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out var length))
            return false;
        bytes = bytes[..length];
        return true;
    }

    /// <summary>Adds what only the request message says: which component is meant.</summary>
    internal sealed class Describer : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            if (Span.Current is { IsRecording: true } span && request is IMessage message)
                Describe(span, message, context.Method);
            return continuation(request, context);
        }

        private static void Describe(Span span, IMessage message, string method)
        {
            string? Field(string name) => message.Descriptor.FindFieldByName(name)?.Accessor.GetValue(message) as string;

            var name = method[(method.LastIndexOf('/') + 1)..];
            var system = name switch
            {
                _ when name.Contains("Secret", StringComparison.Ordinal) => "secrets",
                "InvokeBinding" => "bindings",
                _ when name.Contains("State", StringComparison.Ordinal) && !name.Contains("Actor", StringComparison.Ordinal) => "state",
                _ => null,
            };
            if (system is not null)
            {
                span.Set("db.system", system);
                span.Set("db.name", Field("store_name") ?? Field("name") ?? "");
                span.Set("db.statement", method);
                span.Set("db.connection_string", system);
            }
            else if (name.StartsWith("PublishEvent", StringComparison.Ordinal) || name.StartsWith("BulkPublishEvent", StringComparison.Ordinal))
            {
                span.Set("messaging.system", "pubsub");
                span.Set("messaging.destination.name", Field("topic") ?? "");
            }
            else if (Field("actor_type") is { } type)
            {
                span.Set("dapr.actor", $"{type}.{Field("actor_id")}");
            }
        }
    }
}
