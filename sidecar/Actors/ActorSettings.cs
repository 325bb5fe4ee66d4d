using System.Text.Json.Nodes;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Resources;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>How the actors of one type live (https://docs.dapr.io/reference/api/actors_api/#get-registered-actors).</summary>
/// <param name="IdleTimeout">After this long without a call an actor is deactivated.</param>
/// <param name="DrainTimeout">Calls under way may take this long when an actor moves or the sidecar ends.</param>
/// <param name="Drain">False: they are cut off at once.</param>
/// <param name="MaxDepth">Calls of one chain that may be inside an actor; 0: not reentrant.</param>
internal sealed record ActorSettings(TimeSpan IdleTimeout, TimeSpan DrainTimeout, bool Drain, int MaxDepth)
{
    private const int DefaultMaxDepth = 32;

    public static ActorSettings Default { get; } = new(TimeSpan.FromMinutes(60), TimeSpan.FromSeconds(2), true, 0);

    public bool IsReentrant => MaxDepth > 0;

    /// <summary>The types that an app names in its answer to <c>GET /dapr/config</c>, with their settings; none where a duration of the app's own is malformed.</summary>
    /// <param name="malformed">What is wrong; null: nothing.</param>
    public static IReadOnlyDictionary<string, ActorSettings> Parse(JsonObject? configuration, out string? malformed)
    {
        malformed = null;
        var types = new Dictionary<string, ActorSettings>(StringComparer.Ordinal);
        if (configuration is null)
            return types;
        foreach (var name in new[] { "actorIdleTimeout", "drainOngoingCallTimeout" })
        {
            if (configuration.Text(name) is { Length: > 0 } text && !Durations.TryParseGo(text, out _))
            {
                malformed = $"{name}: time: invalid duration \"{text}\"";
                return types;
            }
        }

        var common = Parse(configuration);
        foreach (var type in Names(configuration))
            types[type] = common;
        foreach (var special in (configuration.Array("entitiesConfig") ?? []).OfType<JsonObject>())
        {
            var settings = Parse(special);
            foreach (var type in Names(special).Where(types.ContainsKey))
                types[type] = settings;
        }

        return types;
    }

    /// <summary>The types that an app names when it opens its stream.</summary>
    public static IReadOnlyDictionary<string, ActorSettings> Parse(SubscribeActorEventsRequestInitialAlpha1 initial)
    {
        var types = new Dictionary<string, ActorSettings>(StringComparer.Ordinal);
        var common = Of(initial.ActorIdleTimeout, initial.DrainOngoingCallTimeout, initial.HasDrainRebalancedActors ? initial.DrainRebalancedActors : null, initial.Reentrancy);
        foreach (var type in initial.Entities)
            types[type] = common;
        foreach (var special in initial.EntitiesConfig)
        {
            var settings = Of(special.ActorIdleTimeout, special.DrainOngoingCallTimeout, special.HasDrainRebalancedActors ? special.DrainRebalancedActors : null, special.Reentrancy);
            foreach (var type in special.Entities.Where(types.ContainsKey))
                types[type] = settings;
        }

        return types;
    }

    // What is not said is the default, also below entitiesConfig.
    private static ActorSettings Parse(JsonObject json)
    {
        var reentrancy = json.Object("reentrancy");
        var depth = reentrancy?.Flag("enabled") == true ? reentrancy.Number("maxStackDepth") is { } given ? Math.Max(1, (int)given) : DefaultMaxDepth : 0;
        return new ActorSettings(
            Duration("actorIdleTimeout", Default.IdleTimeout),
            Duration("drainOngoingCallTimeout", Default.DrainTimeout),
            json.Flag("drainRebalancedActors") ?? Default.Drain,
            depth);

        TimeSpan Duration(string name, TimeSpan unset) => Durations.TryParseGo(json.Text(name), out var duration) && duration > TimeSpan.Zero ? duration : unset;
    }

    private static ActorSettings Of(Duration? idle, Duration? drainTimeout, bool? drain, ActorReentrancyConfig? reentrancy) => new(
        idle is not null && idle.ToTimeSpan() > TimeSpan.Zero ? idle.ToTimeSpan() : Default.IdleTimeout,
        drainTimeout is not null && drainTimeout.ToTimeSpan() > TimeSpan.Zero ? drainTimeout.ToTimeSpan() : Default.DrainTimeout,
        drain ?? Default.Drain,
        reentrancy is { Enabled: true } ? reentrancy.HasMaxStackDepth ? Math.Max(1, reentrancy.MaxStackDepth) : DefaultMaxDepth : 0);

    private static IEnumerable<string> Names(JsonObject json) => (json.Array("entities") ?? []).Select(e => e.Text()).OfType<string>().Where(t => t.Length > 0);
}
