using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>
/// Which topics of a component an app may publish and subscribe to: <c>publishingScopes</c>, <c>subscriptionScopes</c>, <c>allowedTopics</c> and
/// <c>protectedTopics</c> of its metadata (https://docs.dapr.io/developing-applications/building-blocks/pubsub/pubsub-scopes/).
/// </summary>
internal sealed class TopicScopes
{
    private readonly HashSet<string> _allowed;
    private readonly HashSet<string> _protected;
    private readonly HashSet<string>? _publishing;
    private readonly HashSet<string>? _subscribing;

    public TopicScopes(ComponentSpec spec, string appId)
    {
        _allowed = List(spec.Value("allowedTopics"));
        _protected = List(spec.Value("protectedTopics"));
        _publishing = Scope(spec.Value("publishingScopes"), appId);
        _subscribing = Scope(spec.Value("subscriptionScopes"), appId);
    }

    public bool AllowsPublish(string topic) => Allows(topic, _publishing);

    public bool AllowsSubscribe(string topic) => Allows(topic, _subscribing);

    private bool Allows(string topic, HashSet<string>? scope)
    {
        if (_allowed.Count > 0 && !_allowed.Contains(topic))
            return false;
        return scope is null ? !_protected.Contains(topic) : scope.Contains(topic);
    }

    // Null where the app is not named: it is not restricted. Named with no topic, it may use none.
    private static HashSet<string>? Scope(string? text, string appId)
    {
        HashSet<string>? topics = null;
        foreach (var app in (text ?? "").Split(';'))
        {
            var parts = app.Split('=', 2);
            if (parts.Length == 2 && parts[0].Trim() == appId)
                (topics ??= []).UnionWith(List(parts[1]));
        }

        return topics;
    }

    private static HashSet<string> List(string? text) => [.. (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
}
