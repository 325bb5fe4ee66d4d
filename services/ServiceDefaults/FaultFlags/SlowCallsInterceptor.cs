using Grpc.Core;
using Grpc.Core.Interceptors;

namespace DaprPlatform.ServiceDefaults.FaultFlags;

/// <summary>Takes up calls of other services as late as <see cref="SlowCalls"/> says.</summary>
internal sealed class SlowCallsInterceptor(SlowCalls slow, TimeProvider time) : Interceptor
{
    private const string OwnPackages = "/daprplatform.";

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        if (slow.Value is { Ticks: > 0 } delay && context.Method.StartsWith(OwnPackages, StringComparison.Ordinal))
            await Task.Delay(delay, time, context.CancellationToken);
        return await continuation(request, context);
    }
}
