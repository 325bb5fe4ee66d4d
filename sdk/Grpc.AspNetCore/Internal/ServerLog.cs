using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Grpc.AspNetCore.Server.Internal;

internal static partial class ServerLog
{
    [LoggerMessage(1, LogLevel.Error, "Error when executing service method '{Method}'.")]
    public static partial void HandlerFailed(ILogger logger, Exception exception, string method);

    [LoggerMessage(2, LogLevel.Information, "Error status code '{StatusCode}' with detail '{Detail}' raised by '{Method}'.")]
    public static partial void StatusRaised(ILogger logger, StatusCode statusCode, string detail, string method, Exception? exception);

    [LoggerMessage(3, LogLevel.Debug, "The call of '{Method}' was cancelled by the client.")]
    public static partial void Cancelled(ILogger logger, string method, Exception exception);

    [LoggerMessage(4, LogLevel.Debug, "The deadline of the call of '{Method}' passed after {Timeout}.")]
    public static partial void DeadlineExceeded(ILogger logger, string method, TimeSpan timeout);

    [LoggerMessage(5, LogLevel.Warning, "The metadata entry '{Key}' cannot be sent as a header and is left out.")]
    public static partial void EntryDropped(ILogger logger, string key, Exception exception);

    [LoggerMessage(6, LogLevel.Information, "The request is no gRPC call that can be served: {Reason}")]
    public static partial void BadRequest(ILogger logger, string reason);
}
