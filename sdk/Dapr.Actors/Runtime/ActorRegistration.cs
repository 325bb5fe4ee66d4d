using System.Collections.ObjectModel;

namespace Dapr.Actors.Runtime;

/// <summary>A class of actors that this app hosts.</summary>
public sealed class ActorRegistration
{
    public ActorRegistration(ActorTypeInformation type)
        : this(type, null)
    {
    }

    /// <param name="type">The class.</param>
    /// <param name="options">What the sidecar is told for this type alone; null: what holds for all.</param>
    public ActorRegistration(ActorTypeInformation type, ActorRuntimeOptions? options)
    {
        ArgumentNullException.ThrowIfNull(type);
        Type = type;
        TypeOptions = options;
    }

    public ActorTypeInformation Type { get; }

    public ActorRuntimeOptions? TypeOptions { get; }

    /// <summary>Makes the actors; null: the container.</summary>
    public ActorActivator? Activator { get; set; }
}

/// <summary>The classes of actors that this app hosts, by their types' names.</summary>
public sealed class ActorRegistrationCollection : KeyedCollection<string, ActorRegistration>
{
    /// <exception cref="ArgumentException">The class cannot be an actor, or its name is taken.</exception>
    public void RegisterActor<TActor>(Action<ActorRegistration>? configure = null)
        where TActor : Actor => Register<TActor>(null, null, configure);

    /// <exception cref="ArgumentException">The class cannot be an actor, or its name is taken.</exception>
    public void RegisterActor<TActor>(ActorRuntimeOptions typeOptions, Action<ActorRegistration>? configure = null)
        where TActor : Actor => Register<TActor>(null, typeOptions, configure);

    /// <param name="actorTypeName">Null: what the <see cref="ActorAttribute"/> says, or else the name of the class.</param>
    /// <param name="configure">Sets up the registration further.</param>
    /// <exception cref="ArgumentException">The class cannot be an actor, or its name is taken.</exception>
    public void RegisterActor<TActor>(string? actorTypeName, Action<ActorRegistration>? configure = null)
        where TActor : Actor => Register<TActor>(actorTypeName, null, configure);

    /// <param name="actorTypeName">Null: what the <see cref="ActorAttribute"/> says, or else the name of the class.</param>
    /// <param name="typeOptions">What the sidecar is told for this type alone.</param>
    /// <param name="configure">Sets up the registration further.</param>
    /// <exception cref="ArgumentException">The class cannot be an actor, or its name is taken.</exception>
    public void RegisterActor<TActor>(string? actorTypeName, ActorRuntimeOptions typeOptions, Action<ActorRegistration>? configure = null)
        where TActor : Actor => Register<TActor>(actorTypeName, typeOptions, configure);

    protected override string GetKeyForItem(ActorRegistration item) => item.Type.ActorTypeName;

    private void Register<TActor>(string? name, ActorRuntimeOptions? options, Action<ActorRegistration>? configure)
        where TActor : Actor
    {
        var registration = new ActorRegistration(ActorTypeInformation.Get(typeof(TActor), name), options);
        configure?.Invoke(registration);
        Add(registration);
    }
}
