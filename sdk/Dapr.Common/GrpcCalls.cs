using Grpc.Core;

namespace Dapr.Common;

/// <summary>Turns the failures of calls into the exceptions that clients promise.</summary>
internal static class GrpcCalls
{
    internal static async Task<TResponse> Unwrap<TResponse>(this AsyncUnaryCall<TResponse> call, string operation)
    {
        try
        {
            using (call)
                return await call.ResponseAsync.ConfigureAwait(false);
        }
        catch (RpcException e)
        {
            throw Failed(operation, e);
        }
    }

    internal static DaprException Failed(string operation, RpcException cause) =>
        new($"{operation} operation failed: the Dapr endpoint indicated a failure. See InnerException for details.", cause);

    // A sidecar that does not know a method tries to pass the call on to an app, and misses the app's id.
    internal static bool IsUnknownMethod(RpcException e) =>
        e.StatusCode == StatusCode.Unimplemented
        || (e.StatusCode == StatusCode.Unknown && e.Status.Detail.Contains("dapr-callee-app-id or dapr-app-id", StringComparison.Ordinal));
}
