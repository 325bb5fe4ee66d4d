using System.Runtime.Serialization;
using Dapr.Actors.Client;
using Dapr.Actors.Runtime;

namespace Dapr.Actors;

/// <summary>Points to an actor; can be sent to others.</summary>
[DataContract(Name = "ActorReference")]
public sealed class ActorReference
{
    [DataMember(Name = "ActorId", Order = 0)]
    public ActorId? ActorId { get; set; }

    [DataMember(Name = "ActorType", Order = 1)]
    public string? ActorType { get; set; }

    /// <param name="actor">An actor or a proxy of one.</param>
    /// <exception cref="ArgumentException">It is neither.</exception>
    public static ActorReference Get(object actor)
    {
        ArgumentNullException.ThrowIfNull(actor);
        return actor switch
        {
            Actor self => new ActorReference { ActorId = self.Id, ActorType = self.Host.ActorTypeInfo.ActorTypeName },
            IActorProxy proxy => new ActorReference { ActorId = proxy.ActorId, ActorType = proxy.ActorType },
            _ => throw new ArgumentException($"An object of type '{actor.GetType()}' is neither an actor nor a proxy of one.", nameof(actor)),
        };
    }

    /// <summary>A proxy of the actor.</summary>
    public object Bind(Type actorInterfaceType)
    {
        if (ActorId is null || string.IsNullOrEmpty(ActorType))
            throw new InvalidOperationException("The reference names no actor.");
        return ActorProxy.DefaultProxyFactory.CreateActorProxy(ActorId, actorInterfaceType, ActorType);
    }
}
