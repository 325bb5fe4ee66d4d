using System.Text.Json;
using Dapr.Actors.Communication;

namespace Dapr.Actors.Client;

/// <summary>Calls an actor's methods by name, with JSON.</summary>
public class ActorProxy : IActorProxy
{
    private readonly SidecarActors _sidecar;
    private readonly ActorProxyOptions _options;

    internal ActorProxy(ActorId actorId, string actorType, SidecarActors sidecar, ActorProxyOptions options)
    {
        ActorId = actorId;
        ActorType = actorType;
        _sidecar = sidecar;
        _options = options;
    }

    /// <summary>What the static methods use.</summary>
    public static IActorProxyFactory DefaultProxyFactory { get; } = new ActorProxyFactory();

    public ActorId ActorId { get; }

    public string ActorType { get; }

    public static TActorInterface Create<TActorInterface>(ActorId actorId, string actorType, ActorProxyOptions? options = null)
        where TActorInterface : IActor =>
        DefaultProxyFactory.CreateActorProxy<TActorInterface>(actorId, actorType, options);

    public static object Create(ActorId actorId, Type actorInterfaceType, string actorType, ActorProxyOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(actorInterfaceType);
        if (!typeof(IActor).IsAssignableFrom(actorInterfaceType))
            throw new ArgumentException("The interface must implement IActor.", nameof(actorInterfaceType));
        return DefaultProxyFactory.CreateActorProxy(actorId, actorInterfaceType, actorType, options);
    }

    public static ActorProxy Create(ActorId actorId, string actorType, ActorProxyOptions? options = null) =>
        DefaultProxyFactory.Create(actorId, actorType, options);

    /// <exception cref="DaprApiException">The sidecar or the actor answered with an error.</exception>
    public async Task<TResponse> InvokeMethodAsync<TRequest, TResponse>(string method, TRequest data, CancellationToken cancellationToken = default) =>
        Read<TResponse>(await _sidecar.InvokeAsync(ActorType, ActorId, method, Write(data), cancellationToken).ConfigureAwait(false));

    /// <exception cref="DaprApiException">The sidecar or the actor answered with an error.</exception>
    public Task InvokeMethodAsync<TRequest>(string method, TRequest data, CancellationToken cancellationToken = default) =>
        _sidecar.InvokeAsync(ActorType, ActorId, method, Write(data), cancellationToken);

    /// <exception cref="DaprApiException">The sidecar or the actor answered with an error.</exception>
    public async Task<TResponse> InvokeMethodAsync<TResponse>(string method, CancellationToken cancellationToken = default) =>
        Read<TResponse>(await _sidecar.InvokeAsync(ActorType, ActorId, method, null, cancellationToken).ConfigureAwait(false));

    /// <exception cref="DaprApiException">The sidecar or the actor answered with an error.</exception>
    public Task InvokeMethodAsync(string method, CancellationToken cancellationToken = default) =>
        _sidecar.InvokeAsync(ActorType, ActorId, method, null, cancellationToken);

    private byte[] Write<T>(T data) => JsonSerializer.SerializeToUtf8Bytes(data, _options.JsonSerializerOptions);

    private T Read<T>(byte[] body) => body.Length == 0 ? default! : JsonSerializer.Deserialize<T>(body, _options.JsonSerializerOptions)!;
}
