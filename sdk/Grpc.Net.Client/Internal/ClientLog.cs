using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Grpc.Net.Client.Internal;

internal static partial class ClientLog
{
    [LoggerMessage(1, LogLevel.Warning, "The call credentials are not sent to {Address} because the channel does not use TLS.")]
    public static partial void CallCredentialsNotUsed(ILogger logger, Uri address);

    [LoggerMessage(2, LogLevel.Debug, "The call {Method} failed with {StatusCode}: {Detail}")]
    public static partial void CallFailed(ILogger logger, Exception? exception, string method, StatusCode statusCode, string detail);
}
