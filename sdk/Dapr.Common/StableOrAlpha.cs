using Dapr.Common.Exceptions;
using Grpc.Core;

namespace Dapr.Common;

/// <summary>
/// A method that older sidecars know by its alpha name only. Which of the two a sidecar knows does not change while it runs, so it is found out once.
/// </summary>
internal sealed class StableOrAlpha<TRequest, TResponse>(
    Func<TRequest, CallOptions, AsyncUnaryCall<TResponse>> stable, Func<TRequest, CallOptions, AsyncUnaryCall<TResponse>> alpha, string method, string operation)
{
    volatile bool _alphaOnly;

    internal async Task<TResponse> CallAsync(TRequest request, Func<CallOptions> options)
    {
        if (!_alphaOnly)
        {
            try
            {
                using var call = stable(request, options());
                return await call.ResponseAsync.ConfigureAwait(false);
            }
            catch (RpcException e) when (GrpcCalls.IsUnknownMethod(e))
            {
                // The alpha name is next.
            }
            catch (RpcException e)
            {
                throw GrpcCalls.Failed(operation, e);
            }
        }

        try
        {
            using var call = alpha(request, options());
            var response = await call.ResponseAsync.ConfigureAwait(false);
            _alphaOnly = true;
            return response;
        }
        catch (RpcException e) when (GrpcCalls.IsUnknownMethod(e))
        {
            _alphaOnly = false;
            throw new DaprFeatureNotAvailableException($"The sidecar offers neither {method} nor its alpha form.", e);
        }
        catch (RpcException e)
        {
            throw GrpcCalls.Failed(operation, e);
        }
    }
}
