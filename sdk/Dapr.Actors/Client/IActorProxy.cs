namespace Dapr.Actors.Client;

/// <summary>What every proxy knows of its actor.</summary>
public interface IActorProxy
{
    ActorId ActorId { get; }

    string ActorType { get; }
}
