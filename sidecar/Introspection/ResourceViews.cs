using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.PubSub;
using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Introspection;

/// <summary>A component and the apps that have it.</summary>
/// <param name="StandsFor">What serves it here where its type needs a server; null: it is exactly itself.</param>
/// <param name="Metadata">As written; secrets are <c>***</c>, a reference to the environment is <c>env:NAME</c>.</param>
public sealed record ComponentView(string Name, string Type, string Version, string? StandsFor, IReadOnlyList<string> Apps, IReadOnlyList<string> Capabilities, IReadOnlyDictionary<string, string> Metadata);

/// <summary>A Configuration in force.</summary>
/// <param name="Spec">Merged, secrets hidden.</param>
public sealed record ConfigurationView(string Name, IReadOnlyList<string> Apps, JsonNode Spec);

/// <summary>A rule of a subscription.</summary>
/// <param name="Match">Null: always.</param>
public sealed record SubscriptionRoute(string? Match, string Path);

/// <summary>What an app gets.</summary>
/// <param name="Kind"><c>declarative</c>, <c>programmatic</c> or <c>streaming</c>.</param>
public sealed record SubscriptionView(string App, string Pubsub, string Topic, string Kind, IReadOnlyList<SubscriptionRoute> Routes, string? DeadLetterTopic, bool Bulk);

/// <summary>What the sidecars were made from.</summary>
public sealed class ResourceViews
{
    private readonly RuntimeView _view;

    internal ResourceViews(RuntimeView view) => _view = view;

    /// <summary>In the order of their names.</summary>
    public IReadOnlyList<ComponentView> Components() =>
    [
        .. _view.Runtimes.SelectMany(r => r.Components.Loaded.Select(c => (App: r.Options.AppId, Component: c, Metadata: Metadata(r, c.Name))))
            // One file for several apps is one component; two files of one name are two.
            .GroupBy(c => (c.Component.Name, c.Component.Type, c.Component.Version, string.Join('\n', c.Metadata.Select(m => $"{m.Key}={m.Value}"))))
            .Select(g => new ComponentView(g.Key.Name, g.Key.Type, g.Key.Version, g.First().Component.StandsFor, [.. g.Select(c => c.App)], g.First().Component.Capabilities, g.First().Metadata))
            .OrderBy(c => c.Name, StringComparer.Ordinal).ThenBy(c => c.Apps[0], StringComparer.Ordinal),
    ];

    public IReadOnlyList<ConfigurationView> Configurations() =>
    [
        .. _view.Runtimes.Where(r => r.Configuration.Spec.Count > 0)
            .GroupBy(r => (Name: NameOf(r), Spec: r.Configuration.Spec.ToJsonString()))
            .Select(g => new ConfigurationView(g.Key.Name, [.. g.Select(r => r.Options.AppId)], Redaction.Document(g.First().Configuration.Spec)!))
            .OrderBy(c => c.Name, StringComparer.Ordinal),
    ];

    public IReadOnlyList<SubscriptionView> Subscriptions() =>
    [
        .. _view.Runtimes.SelectMany(r => r.Blocks.OfType<PubSubApi>().SelectMany(p => p.Subscriptions).Select(s => new SubscriptionView(
                r.Options.AppId, s.PubSub, s.Topic, s.Origin.ToString().ToLowerInvariant(),
                [.. s.Rules.Select(rule => new SubscriptionRoute(rule.Match.Length > 0 ? rule.Match : null, rule.Path))],
                s.DeadLetterTopic.Length > 0 ? s.DeadLetterTopic : null, s.Bulk is not null)))
            .OrderBy(s => s.Topic, StringComparer.Ordinal).ThenBy(s => s.App, StringComparer.Ordinal),
    ];

    private static SortedDictionary<string, string> Metadata(SidecarRuntime runtime, string component)
    {
        var shown = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var item in (runtime.Components.ResourceOf(component)?.Spec.Array("metadata") ?? []).OfType<JsonObject>())
        {
            var name = item.Text("name") ?? "";
            shown[name] = item.Object("secretKeyRef") is not null ? Redaction.Hidden
                : item.Text("envRef") is { Length: > 0 } variable ? $"env:{variable}"
                : Redaction.Shown(name, item.Member("value") is { } value ? value.Text() ?? value.ToJsonString() : "");
        }

        return shown;
    }

    // What is in force is merged from files; only they have names.
    private static string NameOf(SidecarRuntime runtime)
    {
        var loader = new ResourceLoader(NullLogger<ResourceLoader>.Instance);
        try
        {
            var names = runtime.Options.ConfigPaths.Where(File.Exists).SelectMany(f => loader.LoadFile(f)).Where(d => d.Kind.Equals("Configuration", StringComparison.OrdinalIgnoreCase)).Select(d => d.Name);
            return string.Join(" + ", names) is { Length: > 0 } name ? name : "configuration";
        }
        catch (Exception e) when (e is ResourceException or IOException or UnauthorizedAccessException)
        {
            return "configuration";
        }
    }
}
