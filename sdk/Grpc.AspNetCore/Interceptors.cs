using System.Collections.ObjectModel;
using System.Diagnostics.CodeAnalysis;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.DependencyInjection;

namespace Grpc.AspNetCore.Server;

/// <summary>Types of interceptors, outermost first.</summary>
public class InterceptorCollection : Collection<InterceptorRegistration>
{
    /// <summary>Appends an interceptor that is made for each call with the arguments and the request's services, or taken from these if it is registered there and has no arguments.</summary>
    public void Add<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TInterceptor>(params object[] args)
        where TInterceptor : Interceptor => Add(typeof(TInterceptor), args);

    /// <inheritdoc cref="Add{TInterceptor}"/>
    /// <exception cref="ArgumentException">The type is no interceptor.</exception>
    public void Add([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] Type interceptorType, params object[] args)
    {
        ArgumentNullException.ThrowIfNull(interceptorType);
        if (!interceptorType.IsSubclassOf(typeof(Interceptor)))
            throw new ArgumentException($"Type must derive from {typeof(Interceptor).FullName}.", nameof(interceptorType));
        Add(new InterceptorRegistration(interceptorType, args));
    }

    internal void AddRange(IEnumerable<InterceptorRegistration> registrations)
    {
        foreach (var registration in registrations)
            Add(registration);
    }
}

/// <summary>A type of interceptor with the arguments of its constructor.</summary>
public class InterceptorRegistration
{
    readonly object[] _args;
    ObjectFactory? _factory;

    internal InterceptorRegistration([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] Type type, object[] args)
    {
        Type = type;
        _args = args;
    }

    /// <summary>The type.</summary>
    [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)]
    public Type Type { get; }

    /// <summary>Arguments of the constructor that do not come from services.</summary>
    public IReadOnlyList<object> Arguments => _args;

    /// <summary>The interceptor for a call, and whether it is to be disposed after it.</summary>
    internal (Interceptor Interceptor, bool Owned) Get(IServiceProvider services)
    {
        if (_args.Length == 0 && services.GetService(Type) is Interceptor registered)
            return (registered, false);
        _factory ??= ActivatorUtilities.CreateFactory(Type, [.. _args.Select(arg => arg.GetType())]);
        return ((Interceptor)_factory(services, _args), true);
    }
}
