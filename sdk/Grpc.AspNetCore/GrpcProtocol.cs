using Grpc.AspNetCore.Server.Internal;
using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server;

/// <summary>The parts of the protocol that a proxy needs, which passes calls on without knowing their methods.</summary>
public static class GrpcProtocol
{
    /// <summary>Whether the request is a gRPC call by its content type, <c>application/grpc</c> with any message format.</summary>
    public static bool IsGrpcRequest(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return GrpcNames.IsGrpcContentType(request.ContentType);
    }

    /// <summary>Ends a call with the status: as a response of headers only if nothing was sent yet, otherwise in the trailers.</summary>
    /// <remarks>The request must not have written anything to the body that is not flushed. Nothing more may be written.</remarks>
    public static Task WriteStatus(HttpContext httpContext, Status status, Metadata? trailers = null)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        var response = httpContext.Response;
        if (!response.HasStarted)
            response.Headers.ContentType = ResponseHeaders.GrpcContentType;
        ResponseHeaders.WriteStatus(response, status, trailers, hasBody: false, logger: null);
        return response.CompleteAsync();
    }

    /// <summary>The time that the caller still gives the call; null if there is no limit.</summary>
    /// <returns>False if the header is malformed.</returns>
    public static bool TryGetTimeout(HttpRequest request, out TimeSpan? timeout)
    {
        ArgumentNullException.ThrowIfNull(request);
        timeout = null;
        var header = request.Headers.GrpcTimeout;
        if (header.Count == 0)
            return true;
        if (!GrpcTimeout.TryParse(header.ToString(), out var value))
            return false;
        timeout = value;
        return true;
    }

    /// <summary>The value of a <c>grpc-timeout</c> header.</summary>
    public static string FormatTimeout(TimeSpan timeout) => GrpcTimeout.Format(timeout);

    /// <summary>Text as the value of a <c>grpc-message</c> header.</summary>
    public static string EncodeMessage(string message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return PercentCoding.Encode(message);
    }

    /// <summary>The text of a <c>grpc-message</c> header.</summary>
    public static string DecodeMessage(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return PercentCoding.Decode(value);
    }
}
