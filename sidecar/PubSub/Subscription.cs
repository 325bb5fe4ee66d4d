using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.PubSub.Cel;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>Where a subscription comes from, as <c>/v1.0/metadata</c> names it.</summary>
internal enum SubscriptionOrigin
{
    /// <summary>A Subscription resource.</summary>
    Declarative,

    /// <summary>The app said so at start.</summary>
    Programmatic,

    /// <summary>A stream of the app's.</summary>
    Streaming,
}

/// <summary>A rule of routing: the first that matches wins.</summary>
/// <param name="Match">CEL over <c>event</c>; empty always matches.</param>
/// <param name="Path">As given; see <see cref="Target"/>.</param>
internal sealed record SubscriptionRule(string Match, string Path)
{
    private static readonly IReadOnlyList<string> Variables = ["event"];

    /// <summary>Null: always matches.</summary>
    public CelProgram? Program { get; } = Match.Length == 0 ? null : CelProgram.Compile(Match, Variables);

    /// <summary>The path in the app: with a slash before it, <c>.</c>, <c>..</c>, <c>//</c> and a slash at the end resolved.</summary>
    public string Target { get; } = Clean(Path);

    private static string Clean(string path)
    {
        var query = path.IndexOf('?', StringComparison.Ordinal);
        var (route, rest) = query < 0 ? (path, "") : (path[..query], path[query..]);
        var segments = new List<string>();
        foreach (var segment in route.Split('/'))
        {
            if (segment == "..")
            {
                if (segments.Count > 0)
                    segments.RemoveAt(segments.Count - 1);
            }
            else if (segment is not ("" or "."))
            {
                segments.Add(Escaped(segment));
            }
        }

        return "/" + string.Join('/', segments) + Escaped(rest);
    }

    // What cannot stand in a request line is percent-encoded.
    private static string Escaped(string text)
    {
        var escaped = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (b is > (byte)' ' and < 0x7f && !"\"<>^`{|}\\#"u8.Contains(b))
                escaped.Append((char)b);
            else
                escaped.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
        }

        return escaped.ToString();
    }
}

/// <summary>Messages are delivered together. Null: the component's default.</summary>
internal sealed record BulkSubscribe(int? MaxMessages, TimeSpan? MaxWait);

/// <summary>What an app wants to get.</summary>
/// <param name="Topic">As the app names it, without the prefix of a namespace.</param>
/// <param name="DeadLetterTopic">Empty: none.</param>
internal sealed record Subscription(SubscriptionOrigin Origin, string PubSub, string Topic, IReadOnlyDictionary<string, string> Metadata, IReadOnlyList<SubscriptionRule> Rules,
    string DeadLetterTopic = "", BulkSubscribe? Bulk = null)
{
    /// <summary>Messages are not envelopes: they are delivered in one.</summary>
    public bool IsRaw { get; } = Metadata.Any(m => m.Key.Equals("rawPayload", StringComparison.OrdinalIgnoreCase) && m.Value.Equals("true", StringComparison.OrdinalIgnoreCase));

    /// <summary>True where no rule has a condition, so that events need not be read to be routed.</summary>
    public bool HasOneTarget { get; } = Rules is [{ Program: null }, ..];

    /// <summary>The same subscription, so that it need not begin again.</summary>
    public bool IsSameAs(Subscription other) => Origin == other.Origin && PubSub == other.PubSub && Topic == other.Topic && DeadLetterTopic == other.DeadLetterTopic && Bulk == other.Bulk
        && Rules.Select(r => (r.Match, r.Path)).SequenceEqual(other.Rules.Select(r => (r.Match, r.Path)))
        && Metadata.OrderBy(m => m.Key, StringComparer.Ordinal).SequenceEqual(other.Metadata.OrderBy(m => m.Key, StringComparer.Ordinal));
}

/// <summary>Reads subscriptions in all their forms. Names are taken in any case.</summary>
internal static class SubscriptionForms
{
    /// <summary>A Subscription resource of either version.</summary>
    /// <exception cref="ResourceException">A rule is malformed.</exception>
    public static Subscription FromResource(Resource resource)
    {
        var spec = resource.Spec;
        try
        {
            var rules = resource.ApiVersion == "dapr.io/v1alpha1" ? Rules(null, spec.Text("route")) : Rules(spec.Object("routes"), null);
            return Make(SubscriptionOrigin.Declarative, spec, rules);
        }
        catch (CelException e)
        {
            throw new ResourceException($"failed to load subscription {resource.Name}: {e.Message}");
        }
    }

    /// <summary>What an app answers to <c>GET /dapr/subscribe</c>. Those without any route are left out.</summary>
    /// <exception cref="CelException">A rule is malformed.</exception>
    public static IReadOnlyList<Subscription> FromHttp(JsonArray list)
    {
        var subscriptions = new List<Subscription>();
        foreach (var item in list.OfType<JsonObject>())
        {
            var rules = Rules(item.Object("routes"), item.Text("route"));
            if (rules.Count > 0)
                subscriptions.Add(Make(SubscriptionOrigin.Programmatic, item, rules));
        }

        return subscriptions;
    }

    /// <summary>What an app answers to <c>ListTopicSubscriptions</c>; one without a route gets its events without a path.</summary>
    /// <exception cref="CelException">A rule is malformed.</exception>
    public static IReadOnlyList<Subscription> FromGrpc(IEnumerable<TopicSubscription> list)
    {
        var subscriptions = new List<Subscription>();
        foreach (var item in list)
        {
            var rules = new List<SubscriptionRule>();
            foreach (var rule in item.Routes?.Rules ?? [])
                rules.Add(new SubscriptionRule(rule.Match, rule.Path));
            if (item.Routes is { Default.Length: > 0 } routes)
                rules.Add(new SubscriptionRule("", routes.Default));
            if (rules.Count == 0)
                rules.Add(new SubscriptionRule("", ""));
            var bulk = item.BulkSubscribe is { Enabled: true } b ? Bulk(b.MaxMessagesCount, b.MaxAwaitDurationMs) : null;
            subscriptions.Add(new Subscription(SubscriptionOrigin.Programmatic, item.PubsubName, item.Topic, new Dictionary<string, string>(item.Metadata), rules, item.DeadLetterTopic, bulk));
        }

        return subscriptions;
    }

    private static Subscription Make(SubscriptionOrigin origin, JsonObject json, IReadOnlyList<SubscriptionRule> rules)
    {
        var bulk = json.Object("bulkSubscribe") is { } b && b.Flag("enabled") == true ? Bulk(b.Number("maxMessagesCount") ?? 0, b.Number("maxAwaitDurationMs") ?? 0) : null;
        return new Subscription(origin, json.Text("pubsubname") ?? "", json.Text("topic") ?? "", json.Map("metadata"), rules, json.Text("deadLetterTopic") ?? "", bulk);
    }

    private static BulkSubscribe Bulk(int count, int milliseconds) => new(count > 0 ? count : null, milliseconds > 0 ? TimeSpan.FromMilliseconds(milliseconds) : null);

    // "routes" wins over "route".
    private static List<SubscriptionRule> Rules(JsonObject? routes, string? route)
    {
        var rules = new List<SubscriptionRule>();
        foreach (var rule in (routes?.Array("rules") ?? []).OfType<JsonObject>())
            rules.Add(new SubscriptionRule(rule.Text("match") ?? "", rule.Text("path") ?? ""));
        if (routes?.Text("default") is { Length: > 0 } otherwise)
            rules.Add(new SubscriptionRule("", otherwise));
        if (rules.Count == 0 && route is { Length: > 0 })
            rules.Add(new SubscriptionRule("", route));
        return rules;
    }
}
