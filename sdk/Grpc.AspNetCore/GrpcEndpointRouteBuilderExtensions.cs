using Grpc.AspNetCore.Server;
using Grpc.AspNetCore.Server.Internal;
using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps gRPC services to endpoints.</summary>
public static class GrpcEndpointRouteBuilderExtensions
{
    /// <summary>Maps the methods of a service, and answers calls of methods and services that there are not with Unimplemented.</summary>
    /// <exception cref="InvalidOperationException">AddGrpc was not called, or the type derives from no generated service base.</exception>
    public static GrpcServiceEndpointConventionBuilder MapGrpcService<TService>(this IEndpointRouteBuilder builder)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.ServiceProvider;
        if (services.GetService<GrpcMarker>() is not { } marker)
        {
            throw new InvalidOperationException(
                "Unable to find the required services. Please add all the required services by calling 'IServiceCollection.AddGrpc' in the application startup code.");
        }

        var all = services.GetRequiredService<IOptions<GrpcServiceOptions>>().Value;
        GrpcServiceOptions options = services.GetService<IConfigureOptions<GrpcServiceOptions<TService>>>() is null
            ? all
            : services.GetRequiredService<IOptions<GrpcServiceOptions<TService>>>().Value;
        var table = new GrpcMethodTable(ServiceMethodBinder<TService>.Bind(ServiceSource<TService>.FromServices(services), options, services.GetService<ILoggerFactory>()));

        List<IEndpointConventionBuilder> endpoints = [];
        var serviceAttributes = typeof(TService).GetCustomAttributes(inherit: true);
        foreach (var method in table.Methods)
        {
            var endpoint = builder.MapPost(method.Method.FullName, method.Handler).WithDisplayName("gRPC - " + method.Method.FullName);
            endpoint.WithMetadata([new GrpcMethodMetadata(typeof(TService), method.Method), .. serviceAttributes, .. method.Implementation?.GetCustomAttributes(inherit: true) ?? []]);
            endpoints.Add(endpoint);
        }

        foreach (var serviceName in table.Methods.Select(method => method.Method.ServiceName).Distinct())
            endpoints.Add(MapUnimplemented(builder, serviceName, "Method is unimplemented."));
        if (all.IgnoreUnknownServices != true && !marker.UnknownServicesMapped)
        {
            marker.UnknownServicesMapped = true;
            MapUnimplemented(builder, "{unimplementedService}", "Service is unimplemented.");
        }

        return new GrpcServiceEndpointConventionBuilder(endpoints);
    }

    static IEndpointConventionBuilder MapUnimplemented(IEndpointRouteBuilder builder, string service, string detail)
    {
        var pattern = RoutePatternFactory.Parse($"{service}/{{unimplementedMethod}}", defaults: null, parameterPolicies: new { unimplementedMethod = IsGrpcCall.Instance });
        return builder.Map(pattern, http => GrpcProtocol.WriteStatus(http, new Status(StatusCode.Unimplemented, detail)))
            .WithDisplayName($"gRPC - Unimplemented: {service}");
    }

    /// <summary>Leaves requests that are no gRPC calls to other endpoints.</summary>
    sealed class IsGrpcCall : IRouteConstraint
    {
        public static readonly IsGrpcCall Instance = new();

        public bool Match(HttpContext? httpContext, IRouter? route, string routeKey, RouteValueDictionary values, RouteDirection routeDirection) =>
            httpContext is not null && HttpMethods.IsPost(httpContext.Request.Method) && GrpcNames.IsGrpcContentType(httpContext.Request.ContentType);
    }
}

/// <summary>Adds conventions, e.g. authorization, to all endpoints of a service.</summary>
public sealed class GrpcServiceEndpointConventionBuilder : IEndpointConventionBuilder
{
    readonly List<IEndpointConventionBuilder> _endpoints;

    internal GrpcServiceEndpointConventionBuilder(List<IEndpointConventionBuilder> endpoints) => _endpoints = endpoints;

    /// <inheritdoc />
    public void Add(Action<EndpointBuilder> convention)
    {
        foreach (var endpoint in _endpoints)
            endpoint.Add(convention);
    }
}
