namespace Dapr.Client;

/// <summary>What a sidecar says about itself.</summary>
public sealed class DaprMetadata
{
    /// <summary>A description of a sidecar.</summary>
    public DaprMetadata(string id, IReadOnlyList<DaprActorMetadata> actors, IReadOnlyDictionary<string, string> extended, IReadOnlyList<DaprComponentsMetadata> components)
    {
        Id = id;
        Actors = actors;
        Extended = extended;
        Components = components;
    }

    /// <summary>The app id.</summary>
    public string Id { get; }

    /// <summary>Active actors by type.</summary>
    public IReadOnlyList<DaprActorMetadata> Actors { get; }

    /// <summary>Attributes, set ones included.</summary>
    public IReadOnlyDictionary<string, string> Extended { get; }

    /// <summary>Loaded components.</summary>
    public IReadOnlyList<DaprComponentsMetadata> Components { get; }
}

/// <summary>Active actors of a type.</summary>
public sealed class DaprActorMetadata
{
    /// <summary>So many of a type.</summary>
    public DaprActorMetadata(string type, int count)
    {
        Type = type;
        Count = count;
    }

    /// <summary>The type.</summary>
    public string Type { get; }

    /// <summary>How many are active on this host.</summary>
    public int Count { get; }
}

/// <summary>A loaded component.</summary>
public sealed class DaprComponentsMetadata
{
    /// <summary>A component.</summary>
    public DaprComponentsMetadata(string name, string type, string version, string[] capabilities)
    {
        Name = name;
        Type = type;
        Version = version;
        Capabilities = capabilities;
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Its type, such as <c>state.redis</c>.</summary>
    public string Type { get; }

    /// <summary>The version of its type.</summary>
    public string Version { get; }

    /// <summary>What it can, such as <c>ETAG</c>.</summary>
    public string[] Capabilities { get; }
}
