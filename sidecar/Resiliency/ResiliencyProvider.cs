using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Resiliency;

internal enum ComponentDirection
{
    Inbound,
    Outbound,
}

/// <summary>
/// The policies of all Resiliency resources, by target (https://docs.dapr.io/operations/resiliency/). Policies are shared by name between resources; a later
/// resource replaces policies and whole targets of the same name. A target that is not named has the default policies, one that is named without a policy has none.
/// </summary>
internal sealed partial class ResiliencyProvider
{
    private const int DefaultCacheSize = 5000;
    private readonly Dictionary<string, TimeSpan> _timeouts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RetryPolicy> _retries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CircuitBreakerPolicy> _breakers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Target> _apps = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Target> _actors = new(StringComparer.Ordinal);
    private readonly Dictionary<(string, ComponentDirection), Target> _components = [];
    private readonly ConcurrentDictionary<(string Target, string Key), ResiliencyPolicy> _made = new();
    private readonly ConcurrentDictionary<(string Target, string Key), CircuitBreaker> _state = new();
    private readonly TimeProvider _time;
    private readonly ResiliencyMetrics? _metrics;
    private readonly ILogger? _logger;
    private readonly Action? _touched;
    private readonly bool _hasDefaults;

    private ResiliencyProvider(TimeProvider time, ResiliencyMetrics? metrics, ILogger? logger, IEnumerable<Resource> resources, Action? touched = null)
    {
        _touched = touched;
        _time = time;
        _metrics = metrics;
        _logger = logger;
        foreach (var resource in resources)
            Add(resource);
        _hasDefaults = _timeouts.Keys.Concat(_retries.Keys).Concat(_breakers.Keys).Any(n => n.StartsWith("Default", StringComparison.Ordinal));
        BuiltInServiceRetry = BuiltIn("DaprBuiltInServiceRetries");
    }

    public static ResiliencyProvider None { get; } = new(TimeProvider.System, null, null, []);

    /// <summary>Names of the resources, for the metadata.</summary>
    public List<string> Names { get; } = [];

    /// <summary>For calls to other sidecars that cannot be reached, where the target has no policy of its own: three retries, a second apart.</summary>
    public RetryPolicy BuiltInServiceRetry { get; }

    public static ResiliencyProvider Create(IReadOnlyList<Resource> resources, SidecarRuntime runtime)
    {
        var own = resources.Where(r => r.Kind == "Resiliency").ToList();
        return own.Count == 0 ? None : new ResiliencyProvider(runtime.Time, runtime.Metrics.Resiliency, runtime.Loggers.CreateLogger("dapr.runtime.resiliency"), own,
            () => runtime.Engine.Changes.Tell(Introspection.RuntimeAreas.Breakers));
    }

    /// <summary>A policy that applies where nothing else does. It may be replaced by one of its name, but for actors that are not found; fewer than three retries become three.</summary>
    public RetryPolicy BuiltIn(string name)
    {
        var standard = name switch
        {
            "DaprBuiltInServiceRetries" or "DaprBuiltInActorRetries" => RetryPolicy.Constant(TimeSpan.FromSeconds(1), 3),
            "DaprBuiltInActorNotFoundRetries" => RetryPolicy.Constant(TimeSpan.FromSeconds(1), 5),
            "DaprBuiltInActorReminderRetries" => RetryPolicy.Exponential(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(60), -1, TimeSpan.FromMinutes(15)),
            "DaprBuiltInInitializationRetries" => RetryPolicy.Exponential(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(10), 3, TimeSpan.Zero),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no such built-in policy"),
        };
        if (name == "DaprBuiltInActorNotFoundRetries" || !_retries.TryGetValue(name, out var given))
            return standard;
        return given.MaxRetries is >= 0 and < 3 ? given with { MaxRetries = 3 } : given;
    }

    /// <param name="kind">Type of component as in default policies' names, such as <c>Statestore</c> or <c>Pubsub</c>.</param>
    public ResiliencyPolicy ForComponent(string name, string kind, ComponentDirection direction)
    {
        var found = _components.TryGetValue((name, direction), out var target);
        if (!found && !_hasDefaults)
            return ResiliencyPolicy.Direct;
        var text = direction == ComponentDirection.Inbound ? "Inbound" : "Outbound";
        return Policy($"{kind}_{name}/{text}", "", target, [$"{kind}Component{text}", $"Component{text}", "Component", ""], text.ToLowerInvariant(), $"{kind}_{name}", DefaultCacheSize);
    }

    /// <summary>Whether calls to an app are under any policy, built-in ones apart.</summary>
    public bool AppliesToApp(string appId) => _hasDefaults || _apps.ContainsKey(appId);

    /// <param name="key">What the breaker is kept by, such as the method; empty: one for the whole target.</param>
    public ResiliencyPolicy ForApp(string appId, string key)
    {
        var found = _apps.TryGetValue(appId, out var target);
        if (!found && !_hasDefaults)
            return ResiliencyPolicy.Direct;
        return Policy($"app_{appId}", key, target, ["App", ""], "outbound", $"app_{appId}", target?.CacheSize ?? DefaultCacheSize);
    }

    /// <summary>Retries and breaker of calls to an actor. Its timeout counts from the moment the call has the turn: <see cref="ForActorTurn"/>.</summary>
    public ResiliencyPolicy ForActor(string actorType, string actorId)
    {
        var found = _actors.TryGetValue(actorType, out var target);
        if (!found && !_hasDefaults)
            return ResiliencyPolicy.Direct;
        return Policy($"actor_{actorType}", target?.Scope == "type" ? "" : actorId, target, ["Actor", ""], "outbound", $"actor_{actorType}", target?.CacheSize ?? DefaultCacheSize, withTimeout: false);
    }

    /// <summary>The timeout of calls to actors of a type.</summary>
    public ResiliencyPolicy ForActorTurn(string actorType)
    {
        var found = _actors.TryGetValue(actorType, out var target);
        if (!found && !_hasDefaults)
            return ResiliencyPolicy.Direct;
        return Policy($"actor_turn_{actorType}", "", target, ["Actor", ""], "outbound", $"actor_{actorType}", DefaultCacheSize, withOthers: false);
    }

    /// <summary>The breakers that calls have brought into being, as they stand.</summary>
    internal IEnumerable<Introspection.BreakerView> Breakers(string appId, DateTimeOffset now) => _state.Select(b =>
    {
        var (state, counts, openFor) = b.Value.Look();
        return new Introspection.BreakerView(appId, b.Key.Target, b.Key.Key.Length > 0 ? b.Key.Key : null, b.Value.PolicyName, state == "half-open" ? "halfOpen" : state, counts.Requests, counts.ConsecutiveFailures, now + openFor);
    });

    private ResiliencyPolicy Policy(string scope, string key, Target? target, string[] levels, string direction, string metricTarget, int cacheSize, bool withTimeout = true, bool withOthers = true)
    {
        if (_made.TryGetValue((scope, key), out var made))
            return made;
        var (timeoutName, retryName, breakerName) = target is not null
            ? (target.Timeout, target.Retry, target.Breaker)
            : (Default("TimeoutPolicy", _timeouts.ContainsKey), Default("RetryPolicy", _retries.ContainsKey), Default("CircuitBreakerPolicy", _breakers.ContainsKey));
        if (!withTimeout)
            timeoutName = null;
        if (!withOthers)
            (retryName, breakerName) = (null, null);
        var use = _metrics is null ? null : new PolicyUse(_metrics, target?.Resource ?? "default", direction, metricTarget);
        var breakers = new List<CircuitBreaker>();
        if (_breakers.TryGetValue(breakerName ?? "", out var breaker))
        {
            breakers.Add(Breaker(key));
            // A breaker for the type and one for the actor.
            if (target?.Scope == "both" && key.Length > 0)
                breakers.Insert(0, Breaker(""));
        }

        var policy = new ResiliencyPolicy(_timeouts.GetValueOrDefault(timeoutName ?? ""), _retries.GetValueOrDefault(retryName ?? ""), breakers, use, _time, _logger) { IsExplicit = target is not null };
        if (_made.Count >= cacheSize)
        {
            _made.Clear();
            _state.Clear();
        }

        if (breakers.Count > 0)
            _touched?.Invoke();
        return _made.GetOrAdd((scope, key), policy);

        CircuitBreaker Breaker(string of) => _state.GetOrAdd((scope, of), static (_, a) => new CircuitBreaker(a.breaker, a._time, a.use is null ? null : a.use.BreakerChanged) { PolicyName = a.breakerName, Touched = a._touched }, (breaker, _time, _touched, use, breakerName: breakerName ?? ""));

        string? Default(string suffix, Func<string, bool> exists) => levels.Select(l => $"Default{l}{suffix}").FirstOrDefault(exists);
    }

    private void Add(Resource resource)
    {
        var policies = resource.Spec.Object("policies") ?? [];
        try
        {
            foreach (var (name, value) in policies.Object("timeouts") ?? [])
                _timeouts[name] = RetryPolicy.DurationOf(value.Text() ?? "");
            foreach (var (name, value) in policies.Object("retries") ?? [])
                _retries[name] = RetryPolicy.Parse(value as JsonObject ?? []);
            foreach (var (name, value) in policies.Object("circuitBreakers") ?? [])
                _breakers[name] = CircuitBreakerPolicy.Parse(value as JsonObject ?? []);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            if (_logger is not null)
                LogMalformed(_logger, resource.Name, e.Message);
            return;
        }

        var targets = resource.Spec.Object("targets") ?? [];
        foreach (var (name, value) in targets.Object("apps") ?? [])
            _apps[name] = Target.Parse(resource.Name, value as JsonObject ?? []);
        foreach (var (name, value) in targets.Object("actors") ?? [])
            _actors[name] = Target.Parse(resource.Name, value as JsonObject ?? []);
        foreach (var (name, value) in targets.Object("components") ?? [])
        {
            var component = value as JsonObject ?? [];
            _components[(name, ComponentDirection.Inbound)] = Target.Parse(resource.Name, component.Object("inbound") ?? []);
            _components[(name, ComponentDirection.Outbound)] = Target.Parse(resource.Name, component.Object("outbound") ?? []);
        }

        Names.Add(resource.Name);
        _metrics?.Loaded(resource.Name);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Could not read resiliency policy {Name}: {Reason}")]
    private static partial void LogMalformed(ILogger logger, string name, string reason);

    private sealed record Target(string Resource, string? Timeout, string? Retry, string? Breaker, int CacheSize, string Scope)
    {
        public static Target Parse(string resource, JsonObject spec) => new(resource, spec.Text("timeout"), spec.Text("retry"), spec.Text("circuitBreaker"),
            spec.Number("circuitBreakerCacheSize") is var size and > 0 ? size.Value : DefaultCacheSize, spec.Text("circuitBreakerScope") ?? "id");
    }
}
