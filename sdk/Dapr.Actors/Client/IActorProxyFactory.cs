namespace Dapr.Actors.Client;

/// <summary>Makes the objects that actors are called through.</summary>
public interface IActorProxyFactory
{
    /// <exception cref="ArgumentException">The interface cannot be called remotely.</exception>
    TActorInterface CreateActorProxy<TActorInterface>(ActorId actorId, string actorType, ActorProxyOptions? options = null)
        where TActorInterface : IActor;

    /// <exception cref="ArgumentException">The interface cannot be called remotely.</exception>
    object CreateActorProxy(ActorId actorId, Type actorInterfaceType, string actorType, ActorProxyOptions? options = null);

    /// <summary>A proxy that is told the names of the methods.</summary>
    ActorProxy Create(ActorId actorId, string actorType, ActorProxyOptions? options = null);
}
