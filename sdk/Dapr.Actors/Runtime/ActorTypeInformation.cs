using System.Reflection;
using Dapr.Actors.Communication;

namespace Dapr.Actors.Runtime;

/// <summary>What is known of a class of actors.</summary>
public sealed class ActorTypeInformation
{
    private ActorTypeInformation(Type type, string? name)
    {
        ImplementationType = type;
        InterfaceTypes = [.. type.GetInterfaces().Where(implemented => typeof(IActor).IsAssignableFrom(implemented) && implemented != typeof(IActor))];
        ActorTypeName = name ?? type.GetCustomAttribute<ActorAttribute>()?.TypeName ?? type.Name;
        IsRemindable = typeof(IRemindable).IsAssignableFrom(type);
    }

    public string ActorTypeName { get; }

    public Type ImplementationType { get; }

    public IEnumerable<Type> InterfaceTypes { get; }

    public bool IsRemindable { get; }

    /// <exception cref="ArgumentException">The class is no actor, cannot be made, or has no interface that can be called remotely.</exception>
    public static ActorTypeInformation Get(Type actorType, string? actorTypeName = null)
    {
        ArgumentNullException.ThrowIfNull(actorType);
        if (!typeof(Actor).IsAssignableFrom(actorType))
            throw new ArgumentException($"'{actorType}' does not derive from {nameof(Actor)}.", nameof(actorType));
        if (actorType.IsAbstract)
            throw new ArgumentException($"Actor '{actorType}' is abstract.", nameof(actorType));
        var information = new ActorTypeInformation(actorType, string.IsNullOrEmpty(actorTypeName) ? null : actorTypeName);
        if (!information.InterfaceTypes.Any())
            throw new ArgumentException($"Actor '{actorType}' implements no interface derived from {nameof(IActor)}.", nameof(actorType));
        foreach (var implemented in information.InterfaceTypes)
            RemoteInterface.Of(implemented);
        return information;
    }
}
