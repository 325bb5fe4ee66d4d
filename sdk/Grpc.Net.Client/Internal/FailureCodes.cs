using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Grpc.Core;

namespace Grpc.Net.Client.Internal;

/// <summary>Which status a failure below gRPC becomes.</summary>
internal static class FailureCodes
{
    public static Status ToStatus(string doing, Exception exception) => new(CodeOf(exception), Describe(doing, exception), exception);

    /// <summary>The table of the protocol for responses that have no gRPC status.</summary>
    public static StatusCode CodeOf(HttpStatusCode httpStatus) => (int)httpStatus switch
    {
        400 => StatusCode.Internal,
        401 => StatusCode.Unauthenticated,
        403 => StatusCode.PermissionDenied,
        404 => StatusCode.Unimplemented,
        429 or 502 or 503 or 504 => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };

    /// <summary>Whether no connection was made, so that the server has seen nothing of the call.</summary>
    public static bool IsConnectFailure(Exception exception) =>
        exception is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError }
        || exception is OperationCanceledException { InnerException: TimeoutException };

    static StatusCode CodeOf(Exception exception)
    {
        if (IsConnectFailure(exception))
            return StatusCode.Unavailable;

        var code = StatusCode.Internal;
        for (var e = exception; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case HttpProtocolException protocol:
                    return CodeOf(protocol.ErrorCode);
                case HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded }:
                case SocketException or AuthenticationException or TimeoutException:
                    return StatusCode.Unavailable;
                case OperationCanceledException:
                    code = StatusCode.Cancelled;
                    break;
                case IOException:
                    code = StatusCode.Unavailable;
                    break;
            }
        }

        return code;
    }

    /// <summary>Error codes of HTTP/2.</summary>
    static StatusCode CodeOf(long errorCode) => errorCode switch
    {
        // NO_ERROR ends the streams of a server that goes away: nothing is wrong with them, another server may take them.
        0x0 or 0x7 => StatusCode.Unavailable,
        0x8 => StatusCode.Cancelled,
        0xb => StatusCode.ResourceExhausted,
        0xc => StatusCode.PermissionDenied,
        0x5 or 0xd => StatusCode.Unknown,
        _ => StatusCode.Internal,
    };

    static string Describe(string doing, Exception exception)
    {
        var text = new StringBuilder(doing);
        for (var e = exception; e is not null; e = e.InnerException)
            text.Append(' ').Append(e.GetType().Name).Append(": ").Append(e.Message);
        return text.ToString();
    }
}
