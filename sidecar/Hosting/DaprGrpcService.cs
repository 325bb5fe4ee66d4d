using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>
/// <c>dapr.proto.runtime.v1.Dapr</c>: the gRPC face. Each building block has its rpcs in its own folder, as a part of this class; an rpc that no part
/// overrides answers UNIMPLEMENTED. An <see cref="Http.ApiException"/> thrown by a part becomes its status (see <see cref="Translated{T}"/>).
/// </summary>
internal sealed partial class DaprGrpcService(SidecarRuntime runtime) : global::Dapr.Proto.Runtime.V1.Dapr.DaprBase
{
    private readonly SidecarRuntime _runtime = runtime;
    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime.grpc");

    /// <summary>Runs an implementation and turns its refusal into a status with details.</summary>
    private async Task<T> Translated<T>(ValueTask<T> work)
    {
        try
        {
            return await work.ConfigureAwait(false);
        }
        catch (Http.ApiException e)
        {
            _runtime.Metrics.ErrorCodes.Count(e, overGrpc: true);
            throw e.ToRpcException();
        }
        catch (Exception e) when (e is not (RpcException or OperationCanceledException or OutOfMemoryException))
        {
            LogFailure(e);
            throw new RpcException(new Status(StatusCode.Internal, e.Message));
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "a call of the gRPC API failed")]
    private partial void LogFailure(Exception error);
}
