using Grpc.AspNetCore.Server.Internal;
using Microsoft.AspNetCore.Http;

namespace Grpc.Core;

/// <summary>The way from a call to its HTTP request.</summary>
public static class ServerCallContextExtensions
{
    internal const string HttpContextKey = "__HttpContext";

    /// <summary>The HTTP request of the call.</summary>
    /// <exception cref="InvalidOperationException">The call does not come from this server; a test double may put the context into <c>UserState["__HttpContext"]</c>.</exception>
    public static HttpContext GetHttpContext(this ServerCallContext serverCallContext)
    {
        ArgumentNullException.ThrowIfNull(serverCallContext);
        if (serverCallContext is HttpContextServerCallContext context)
            return context.HttpContext;
        return serverCallContext.UserState.TryGetValue(HttpContextKey, out var value) && value is HttpContext httpContext
            ? httpContext
            : throw new InvalidOperationException("Could not get HttpContext from ServerCallContext. HttpContext can only be accessed when gRPC services are hosted by ASP.NET Core.");
    }
}
