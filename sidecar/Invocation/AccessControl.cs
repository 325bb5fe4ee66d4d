using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>
/// Configuration's <c>accessControl</c> (https://docs.dapr.io/operations/configuration/invoke-allowlist/). Its policies are for callers known by their certificate;
/// without mTLS only the default action decides, and only about callers from other sidecars.
/// </summary>
internal sealed class AccessControl
{
    private readonly InvocationMetrics _metrics;
    private readonly bool _isConfigured;
    private readonly bool _denies;

    /// <exception cref="ResourceException">A policy lacks its app id, trust domain or namespace.</exception>
    public AccessControl(JsonObject configuration, InvocationMetrics metrics)
    {
        _metrics = metrics;
        _isConfigured = configuration.Object("accessControl") is { Count: > 0 };
        _denies = DeniesByDefault(configuration);
    }

    /// <summary>Whether a call from another sidecar may reach the app; counts the decision.</summary>
    public bool Allows()
    {
        if (_isConfigured)
            _metrics.Decided(!_denies);
        return !_denies;
    }

    private static bool DeniesByDefault(JsonObject configuration)
    {
        if (configuration.Object("accessControl") is not { } spec)
            return false;
        var withoutDomain = new List<string>();
        var withoutNamespace = new List<string>();
        var withoutName = false;
        foreach (var policy in (spec.Array("policies") ?? []).OfType<JsonObject>())
        {
            var appId = policy.Text("appId") ?? "";
            withoutName |= appId.Length == 0;
            if (string.IsNullOrEmpty(policy.Text("trustDomain")))
                withoutDomain.Add(appId);
            if (string.IsNullOrEmpty(policy.Text("namespace")))
                withoutNamespace.Add(appId);
        }

        if (withoutName || withoutDomain.Count > 0 || withoutNamespace.Count > 0)
        {
            throw new ResourceException($"invalid access control spec. missing trustdomain for apps: [{string.Join(' ', withoutDomain)}], missing namespace for apps: [{string.Join(' ', withoutNamespace)}], "
                + $"missing app name on at least one of the app policies: {(withoutName ? "true" : "false")}");
        }

        return string.Equals(spec.Text("defaultAction"), "deny", StringComparison.OrdinalIgnoreCase);
    }
}
