using DaprPlatform.Sidecar.Hosting;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Components;

/// <summary>A component instance of one sidecar. It is initialised once, before any use, and disposed at shutdown or when hot reload replaces it.</summary>
internal interface IComponent : IAsyncDisposable
{
    /// <summary>Checks the metadata and connects. Throws <see cref="ComponentException"/> when that fails.</summary>
    Task InitAsync(CancellationToken cancellationToken);

    /// <summary>Names as in <c>/v1.0/metadata</c>, such as <c>ETAG</c>.</summary>
    IReadOnlyList<string> Capabilities { get; }
}

/// <summary>What a component is made from: its resource with every value resolved, and the sidecar it belongs to.</summary>
/// <param name="Metadata">spec.metadata: secrets, environment references and placeholders are resolved; names in any case.</param>
/// <param name="SecretKeyNames">For values that came from a secret: metadata name → secretKeyRef.name.</param>
internal sealed record ComponentSpec(string Name, string Type, string Version, IReadOnlyDictionary<string, string> Metadata,
    IReadOnlyDictionary<string, string> SecretKeyNames, SidecarOptions Options, Engine Engine, ILoggerFactory Loggers, TimeProvider Time)
{
    public string? Value(string name) => Metadata.GetValueOrDefault(name);

    /// <summary>A value that must be there. Throws <see cref="ComponentException"/> otherwise.</summary>
    public string Required(string name) => Value(name) is { Length: > 0 } value ? value : throw new ComponentException($"metadata property {name} is missing");

    public bool Flag(string name, bool unset = false) => Value(name) switch
    {
        null or "" => unset,
        "1" or "t" or "T" or "true" or "TRUE" or "True" or "y" or "yes" or "on" => true,
        _ => false,
    };
}

/// <summary>A type of component: what spec.type names, how an instance is made, and what it is on one machine.</summary>
/// <param name="Type">Such as <c>state.redis</c>.</param>
/// <param name="StandsFor">For the start-up table where the type needs a server that is stood in for, such as <c>embedded log</c>; null: it is exactly itself.</param>
internal sealed record ComponentType(string Type, Func<ComponentSpec, IComponent> Create, string? StandsFor = null)
{
    /// <summary>Such as <c>state</c> or <c>middleware.http</c>.</summary>
    public string BuildingBlock => Type.StartsWith("middleware.http.", StringComparison.Ordinal) ? "middleware.http" : Type[..Type.IndexOf('.', StringComparison.Ordinal)];
}

/// <summary>A component that was loaded, as the start-up table and <c>/v1.0/metadata</c> show it.</summary>
/// <param name="StandsFor">What serves it on this machine where its type needs a server; null: it is exactly itself.</param>
public sealed record LoadedComponent(string Name, string Type, string Version, IReadOnlyList<string> Capabilities, string? StandsFor);

/// <summary>A component cannot be initialised; fatal at start unless spec.ignoreErrors.</summary>
internal sealed class ComponentException(string message, Exception? inner = null) : Exception(message, inner);
