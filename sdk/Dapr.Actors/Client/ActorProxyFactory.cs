using Dapr.Actors.Communication;

namespace Dapr.Actors.Client;

public class ActorProxyFactory : IActorProxyFactory
{
    // One pool of connections to the sidecar for all factories that bring no handler.
    private static readonly HttpMessageHandler SharedHandler = new SocketsHttpHandler();

    private readonly HttpMessageHandler _handler;
    private ActorProxyOptions _defaultOptions;
    private (ActorProxyOptions Options, SidecarActors Sidecar)? _last;

    /// <param name="options">Options of proxies that are given none.</param>
    /// <param name="handler">Makes the requests; stays the caller's.</param>
    public ActorProxyFactory(ActorProxyOptions? options = null, HttpMessageHandler? handler = null)
    {
        _defaultOptions = options ?? new ActorProxyOptions();
        _handler = handler ?? SharedHandler;
    }

    public ActorProxyOptions DefaultOptions
    {
        get => _defaultOptions;
        set => _defaultOptions = value ?? throw new ArgumentNullException(nameof(value));
    }

    public TActorInterface CreateActorProxy<TActorInterface>(ActorId actorId, string actorType, ActorProxyOptions? options = null)
        where TActorInterface : IActor =>
        (TActorInterface)CreateActorProxy(actorId, typeof(TActorInterface), actorType, options);

    public object CreateActorProxy(ActorId actorId, Type actorInterfaceType, string actorType, ActorProxyOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(actorInterfaceType);
        Check(actorId, actorType);
        options ??= _defaultOptions;
        return RemotingProxy.Create(actorInterfaceType, actorId, actorType, SidecarOf(options), options);
    }

    public ActorProxy Create(ActorId actorId, string actorType, ActorProxyOptions? options = null)
    {
        Check(actorId, actorType);
        options ??= _defaultOptions;
        return new ActorProxy(actorId, actorType, SidecarOf(options), options);
    }

    private static void Check(ActorId actorId, string actorType)
    {
        ArgumentNullException.ThrowIfNull(actorId);
        ArgumentException.ThrowIfNullOrEmpty(actorType);
    }

    // Proxies are made per call more often than not; nearly always with the same options.
    private SidecarActors SidecarOf(ActorProxyOptions options)
    {
        if (_last is { } last && last.Options == options && last.Sidecar.Fits(options))
            return last.Sidecar;
        var sidecar = new SidecarActors(_handler, options.HttpEndpoint, options.DaprApiToken, options.RequestTimeout);
        _last = (options, sidecar);
        return sidecar;
    }
}
