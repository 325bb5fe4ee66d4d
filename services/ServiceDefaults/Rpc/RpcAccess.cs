using System.Security.Cryptography;
using System.Text;
using DaprPlatform.ServiceDefaults.Problems;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.ServiceDefaults.Rpc;

/// <summary>
/// Who may call the gRPC methods of a service: a signed-in user, unless the method is named here or its endpoint has a policy of its own. A method that nobody
/// thought of is closed.
/// </summary>
internal sealed record OpenRpcMethod(string Path);

public static class RpcAccess
{
    /// <summary>Lets everybody call these methods.</summary>
    /// <param name="services">The app's.</param>
    /// <param name="service">With its package: <c>daprplatform.users.v1.Users</c>.</param>
    /// <param name="methods">Their names.</param>
    public static IServiceCollection AllowAnonymousRpc(this IServiceCollection services, string service, params ReadOnlySpan<string> methods)
    {
        foreach (var method in methods)
            services.AddSingleton(new OpenRpcMethod($"/{service}/{method}"));
        return services;
    }
}

/// <summary>Refuses calls without a user, and, where <c>APP_API_TOKEN</c> is set, calls that did not come through the sidecar.</summary>
internal sealed class RpcGuard : Interceptor
{
    private const string OwnPackages = "/daprplatform.";
    // Asked by whoever runs the service, who has no token of the sidecar's.
    private const string HealthPackage = "/grpc.health.";
    private readonly IHttpContextAccessor _accessor;
    private readonly HashSet<string> _open;
    private readonly byte[]? _appToken;

    public RpcGuard(IHttpContextAccessor accessor, IEnumerable<OpenRpcMethod> open)
    {
        _accessor = accessor;
        _open = [.. open.Select(m => m.Path)];
        _appToken = Environment.GetEnvironmentVariable("APP_API_TOKEN") is { Length: > 0 } token ? Encoding.UTF8.GetBytes(token) : null;
    }

    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        var http = _accessor.HttpContext ?? throw new InvalidOperationException("There is no request.");
        if (_appToken is not null && !context.Method.StartsWith(HealthPackage, StringComparison.Ordinal)
            && !CryptographicOperations.FixedTimeEquals(_appToken, Encoding.UTF8.GetBytes(http.Request.Headers["dapr-api-token"].ToString())))
            throw Refusals.Unauthorized("not-from-sidecar", "Calls to this port come through the sidecar.");
        // The sidecar's own calls (events, jobs, health) have no user.
        if (context.Method.StartsWith(OwnPackages, StringComparison.Ordinal)
            && http.User.Identity is not { IsAuthenticated: true }
            && !_open.Contains(context.Method)
            && http.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is null)
            throw Refusals.Unauthorized("unauthorized", "The access token is missing or not valid.");
        return continuation(request, context);
    }
}
