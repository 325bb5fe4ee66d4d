namespace Dapr.Actors;

/// <summary>Whether an actor can be called again by what it called itself.</summary>
public sealed class ActorReentrancyConfig
{
    public bool Enabled { get; set; }

    /// <summary>Calls within each other; null: 32, as the sidecar has it.</summary>
    public int? MaxStackDepth { get; set; }
}
