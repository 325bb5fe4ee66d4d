using System.Collections.Concurrent;
using System.Reflection;
using Dapr.Actors.Communication;

namespace Dapr.Actors.Client;

/// <summary>Behind an actor interface: turns its calls into requests.</summary>
internal class RemotingProxy : DispatchProxy, IActorProxy
{
    private static readonly MethodInfo InvokeDefinition = typeof(RemotingProxy).GetMethod(nameof(InvokeForResultAsync), BindingFlags.NonPublic | BindingFlags.Instance)!;
    private static readonly ConcurrentDictionary<MethodInfo, Func<RemotingProxy, RemoteMethod, object?[], Task>> Calls = new();

    private RemoteInterface _interface = null!;
    private SidecarActors _sidecar = null!;
    private ActorProxyOptions _options = null!;

    public ActorId ActorId { get; private set; } = null!;

    public string ActorType { get; private set; } = null!;

    public static object Create(Type actorInterface, ActorId actorId, string actorType, SidecarActors sidecar, ActorProxyOptions options)
    {
        var description = RemoteInterface.Of(actorInterface);
        var proxy = (RemotingProxy)Create(actorInterface, typeof(RemotingProxy));
        proxy._interface = description;
        proxy._sidecar = sidecar;
        proxy._options = options;
        proxy.ActorId = actorId;
        proxy.ActorType = actorType;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        var method = _interface.Find(targetMethod!);
        var call = Calls.GetOrAdd(targetMethod!, static (_, result) => result is null
            ? static (proxy, method, arguments) => proxy.InvokeAsync(method, arguments)
            : InvokeDefinition.MakeGenericMethod(result).CreateDelegate<Func<RemotingProxy, RemoteMethod, object?[], Task>>(), method.ResultType);
        return call(this, method, args ?? []);
    }

    private async Task<T?> InvokeForResultAsync<T>(RemoteMethod method, object?[] arguments)
    {
        var response = await SendAsync(method, arguments).ConfigureAwait(false);
        return (T?)RemoteBody.ReadResult(method, response, _options.JsonSerializerOptions);
    }

    private Task InvokeAsync(RemoteMethod method, object?[] arguments) => SendAsync(method, arguments);

    private Task<byte[]> SendAsync(RemoteMethod method, object?[] arguments)
    {
        var cancellationToken = method.TakesCancellation ? (CancellationToken)arguments[^1]! : CancellationToken.None;
        var body = RemoteBody.WriteArguments(method, arguments, _options.UseJsonSerialization, _options.JsonSerializerOptions);
        return _sidecar.InvokeRemoteAsync(ActorType, ActorId, method, body, cancellationToken);
    }
}
