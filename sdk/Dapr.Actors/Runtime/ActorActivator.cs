namespace Dapr.Actors.Runtime;

/// <summary>Makes and discards actors.</summary>
public abstract class ActorActivator
{
    public abstract Task<ActorActivatorState> CreateAsync(ActorHost host);

    public abstract Task DeleteAsync(ActorActivatorState state);
}

/// <summary>An actor that an activator made, with what it needs to discard it.</summary>
public class ActorActivatorState(Actor actor)
{
    public Actor Actor { get; } = actor;
}
