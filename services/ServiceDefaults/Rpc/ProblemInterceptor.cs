using DaprPlatform.ServiceDefaults.Problems;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.ServiceDefaults.Rpc;

/// <summary>Turns what a service method throws into the status its caller can act on.</summary>
internal sealed partial class ProblemInterceptor(ILogger<ProblemInterceptor> logger) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (ProblemException problem)
        {
            throw RpcProblems.ToRpc(problem);
        }
        catch (RpcException rpc) when (RpcProblems.TryRead(rpc, out var problem))
        {
            throw RpcProblems.ToRpc(problem);
        }
        catch (RpcException rpc)
        {
            // Seen by the caller as its own call failing, which is what a retry needs to know.
            throw RpcProblems.ToRpc(RpcProblems.FromRpc(rpc));
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "The call was cancelled."));
        }
        catch (Exception exception) when (Faults.IsTransient(exception))
        {
            LogTransient(logger, exception, context.Method);
            throw RpcProblems.ToRpc(Refusals.Unavailable("A dependency", exception));
        }
        catch (Exception exception)
        {
            LogUnexpected(logger, exception, context.Method);
            throw RpcProblems.ToRpc(new ProblemException(500, "internal", "The service failed", null, exception));
        }
    }

    [LoggerMessage(1, LogLevel.Error, "{Method} failed unexpectedly")]
    private static partial void LogUnexpected(ILogger logger, Exception exception, string method);

    [LoggerMessage(2, LogLevel.Warning, "{Method} failed because of a dependency; the caller is told to try again")]
    private static partial void LogTransient(ILogger logger, Exception exception, string method);
}
