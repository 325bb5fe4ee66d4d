using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Introspection;

/// <param name="Kind"><c>timeout</c>, <c>retry</c> or <c>circuitBreaker</c>.</param>
/// <param name="Spec">As written.</param>
public sealed record PolicyView(string Resource, string Kind, string Name, IReadOnlyList<string> Apps, JsonNode? Spec);

/// <param name="Kind"><c>app</c>, <c>actor</c> or <c>component</c>.</param>
/// <param name="Spec">The policies by their names, as written.</param>
public sealed record TargetView(string Resource, string Kind, string Name, IReadOnlyList<string> Apps, JsonNode? Spec);

/// <summary>A circuit breaker that has come into being: it does with the first call.</summary>
/// <param name="App">Whose calls it stands before.</param>
/// <param name="Target">Such as <c>app_orders</c>.</param>
/// <param name="Key">What it is kept by within the target, such as a method; null: one for all.</param>
/// <param name="State"><c>closed</c>, <c>open</c> or <c>halfOpen</c>.</param>
/// <param name="OpenUntil">When it lets the next call try; null: it is not open.</param>
public sealed record BreakerView(string App, string Target, string? Key, string Policy, string State, int Requests, int ConsecutiveFailures, DateTimeOffset? OpenUntil);

public sealed record ResiliencyView(IReadOnlyList<PolicyView> Policies, IReadOnlyList<TargetView> Targets, IReadOnlyList<BreakerView> Breakers);

/// <summary>Resiliency: what is configured, and how the breakers stand.</summary>
public sealed class PolicyViews
{
    private readonly RuntimeView _view;

    internal PolicyViews(RuntimeView view) => _view = view;

    public ResiliencyView Look()
    {
        var runtimes = _view.Runtimes;
        var resources = runtimes.SelectMany(r => r.Resources.Where(x => x.Kind == "Resiliency").Select(x => (App: r.Options.AppId, Resource: x)))
            .GroupBy(x => (x.Resource.Name, Text: x.Resource.Document.ToJsonString()))
            .Select(g => (g.First().Resource, Apps: (IReadOnlyList<string>)[.. g.Select(x => x.App)]))
            .OrderBy(x => x.Resource.Name, StringComparer.Ordinal).ToList();
        var policies = new List<PolicyView>();
        var targets = new List<TargetView>();
        foreach (var (resource, apps) in resources)
        {
            foreach (var (section, kind) in ((string, string)[])[("timeouts", "timeout"), ("retries", "retry"), ("circuitBreakers", "circuitBreaker")])
                policies.AddRange((resource.Spec.Object("policies")?.Object(section) ?? []).Select(p => new PolicyView(resource.Name, kind, p.Key, apps, p.Value?.DeepClone())));
            foreach (var (section, kind) in ((string, string)[])[("apps", "app"), ("actors", "actor"), ("components", "component")])
                targets.AddRange((resource.Spec.Object("targets")?.Object(section) ?? []).Select(t => new TargetView(resource.Name, kind, t.Key, apps, t.Value?.DeepClone())));
        }

        return new ResiliencyView(policies, targets, [.. runtimes.SelectMany(r => r.Resiliency.Breakers(r.Options.AppId, _view.Engine.Time.GetUtcNow())).OrderBy(b => b.Target, StringComparer.Ordinal).ThenBy(b => b.App, StringComparer.Ordinal).ThenBy(b => b.Key, StringComparer.Ordinal)]);
    }
}
