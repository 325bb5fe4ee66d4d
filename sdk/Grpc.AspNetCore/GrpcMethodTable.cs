using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using Grpc.AspNetCore.Server.Internal;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Grpc.AspNetCore.Server;

/// <summary>The methods of services by their request paths, for servers that dispatch calls without endpoint routing.</summary>
public sealed class GrpcMethodTable
{
    readonly FrozenDictionary<string, RequestDelegate> _handlers;
    readonly FrozenSet<string> _services;

    internal GrpcMethodTable(IReadOnlyList<BoundMethod> methods)
    {
        Methods = methods;
        _handlers = methods.ToFrozenDictionary(method => method.Method.FullName, method => method.Handler, StringComparer.Ordinal);
        _services = methods.Select(method => method.Method.ServiceName).ToFrozenSet(StringComparer.Ordinal);
    }

    internal IReadOnlyList<BoundMethod> Methods { get; }

    /// <summary>The request paths, <c>/service/method</c>.</summary>
    public IReadOnlyCollection<string> Paths => _handlers.Keys;

    /// <summary>The methods of one object, which serves all calls.</summary>
    /// <exception cref="InvalidOperationException">The type derives from no generated service base.</exception>
    public static GrpcMethodTable Create<TService>(TService service, GrpcServiceOptions? options = null, ILoggerFactory? loggerFactory = null)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(service);
        return new GrpcMethodTable(ServiceMethodBinder<TService>.Bind(ServiceSource<TService>.Instance(service), options ?? new(), loggerFactory));
    }

    /// <summary>The methods of a service whose object is asked for with each call.</summary>
    /// <exception cref="InvalidOperationException">The type derives from no generated service base.</exception>
    public static GrpcMethodTable Create<TService>(Func<HttpContext, TService> factory, GrpcServiceOptions? options = null, ILoggerFactory? loggerFactory = null)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(factory);
        return new GrpcMethodTable(ServiceMethodBinder<TService>.Bind(ServiceSource<TService>.PerCall(factory), options ?? new(), loggerFactory));
    }

    /// <summary>The methods of all tables.</summary>
    /// <exception cref="ArgumentException">A method is in two of them.</exception>
    public static GrpcMethodTable Combine(params IEnumerable<GrpcMethodTable> tables)
    {
        ArgumentNullException.ThrowIfNull(tables);
        return new GrpcMethodTable([.. tables.SelectMany(table => table.Methods)]);
    }

    /// <summary>The handler of a method by its path, case and all.</summary>
    public bool TryGet(string path, [NotNullWhen(true)] out RequestDelegate? handler) => _handlers.TryGetValue(path, out handler);

    /// <summary>Whether there are methods of this service, by its full name.</summary>
    public bool ContainsService(string serviceName) => _services.Contains(serviceName);
}
