using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>A pub/sub component with what the sidecar knows of it: who may use which topic, and how topics are called in the broker.</summary>
internal sealed class PubSubComponent
{
    private readonly string _prefix;

    private PubSubComponent(string name, IPubSub component, TopicScopes scopes, string prefix)
    {
        Name = name;
        Component = component;
        Scopes = scopes;
        _prefix = prefix;
    }

    public string Name { get; }

    public IPubSub Component { get; }

    public TopicScopes Scopes { get; }

    /// <summary>Null when there is none of that name.</summary>
    public static PubSubComponent? Find(SidecarRuntime runtime, string name)
    {
        if (!runtime.Components.TryGet<IPubSub>(name, out var component) || runtime.Components.SpecOf(name) is not { } spec)
            return null;
        // A component that names the namespace anywhere has topics of its namespace.
        var isScoped = runtime.Components.ResourceOf(name)?.Spec.ToJsonString().Contains("{namespace}", StringComparison.Ordinal) == true;
        return new PubSubComponent(name, component, new TopicScopes(spec, runtime.Options.AppId), isScoped ? runtime.Options.Namespace : "");
    }

    /// <summary>A topic as the broker knows it.</summary>
    public string BrokerTopic(string topic) => _prefix + topic;
}
