using System.Text.Json;

namespace Dapr.Actors.Runtime;

/// <summary>What the app tells its sidecar about its actors, and how it talks to it. What is null is left to the sidecar.</summary>
public sealed class ActorRuntimeOptions
{
    private TimeSpan? _actorIdleTimeout;
    private TimeSpan? _actorScanInterval;
    private TimeSpan? _drainOngoingCallTimeout;
    private int? _remindersStoragePartitions;
    private ActorReentrancyConfig _reentrancyConfig = new();
    private JsonSerializerOptions _jsonSerializerOptions = new(JsonSerializerDefaults.Web);

    public ActorRegistrationCollection Actors { get; } = [];

    /// <summary>An actor that was not called for so long is deactivated.</summary>
    public TimeSpan? ActorIdleTimeout
    {
        get => _actorIdleTimeout;
        set => _actorIdleTimeout = Positive(value, nameof(ActorIdleTimeout));
    }

    /// <summary>How often the sidecar looks for idle actors.</summary>
    public TimeSpan? ActorScanInterval
    {
        get => _actorScanInterval;
        set => _actorScanInterval = Positive(value, nameof(ActorScanInterval));
    }

    /// <summary>How long a call under way may take when the actor moves to another host.</summary>
    public TimeSpan? DrainOngoingCallTimeout
    {
        get => _drainOngoingCallTimeout;
        set => _drainOngoingCallTimeout = Positive(value, nameof(DrainOngoingCallTimeout));
    }

    /// <summary>Whether calls under way are waited for when an actor moves.</summary>
    public bool DrainRebalancedActors { get; set; }

    public ActorReentrancyConfig ReentrancyConfig
    {
        get => _reentrancyConfig;
        set => _reentrancyConfig = value ?? throw new ArgumentNullException(nameof(value));
    }

    /// <summary>Whether calls through interfaces carry JSON. Must be the same at the callers.</summary>
    public bool UseJsonSerialization { get; set; }

    /// <summary>For state, calls by name, and calls through interfaces with <see cref="UseJsonSerialization"/>.</summary>
    public JsonSerializerOptions JsonSerializerOptions
    {
        get => _jsonSerializerOptions;
        set => _jsonSerializerOptions = value ?? throw new ArgumentNullException(nameof(value));
    }

    /// <summary>Null: as <see cref="DaprDefaults"/> has it.</summary>
    public string? DaprApiToken { get; set; }

    public int? RemindersStoragePartitions
    {
        get => _remindersStoragePartitions;
        set => _remindersStoragePartitions = value > 0 || value is null
            ? value
            : throw new ArgumentOutOfRangeException(nameof(RemindersStoragePartitions), value, "There must be at least one partition.");
    }

    /// <summary>Null: as <see cref="DaprDefaults"/> has it.</summary>
    public string? HttpEndpoint { get; set; }

    private static TimeSpan? Positive(TimeSpan? value, string name) => value > TimeSpan.Zero || value is null
        ? value
        : throw new ArgumentOutOfRangeException(name, value, "The time must be positive.");
}
