using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;

namespace Dapr.AspNetCore;

/// <summary>Gathers the subscriptions of all endpoints.</summary>
internal static class Subscriptions
{
    const string RawPayload = "rawPayload";

    internal static List<Subscription> Of(IEnumerable<Endpoint> endpoints, SubscribeOptions? options)
    {
        var taken = new HashSet<Taken>();
        foreach (var endpoint in endpoints.OfType<RouteEndpoint>())
        {
            foreach (var topic in endpoint.Metadata.GetOrderedMetadata<ITopicMetadata>())
            {
                if (topic.Name is not null)
                    taken.Add(Taken.From(endpoint, topic));
            }
        }

        return
        [
            .. taken
                .GroupBy(t => (t.PubsubName, t.Topic))
                .OrderBy(g => g.Key.PubsubName, StringComparer.Ordinal)
                .ThenBy(g => g.Key.Topic, StringComparer.Ordinal)
                .Select(g => Of([.. g.OrderBy(t => t.Priority)], options)),
        ];
    }

    static Subscription Of(List<Taken> topic, SubscribeOptions? options)
    {
        var first = topic[0];
        List<SubscriptionRule> rules = [.. topic.Where(t => !string.IsNullOrEmpty(t.Match)).Select(t => new SubscriptionRule(t.Match!, t.Path))];
        var fallback = topic.Find(t => string.IsNullOrEmpty(t.Match))?.Path;
        var bulk = first.Bulk is { } b ? new SubscriptionBulk(true, b.MaxMessagesCount, b.MaxAwaitDurationMs) : null;
        return new Subscription(
            first.Topic,
            first.PubsubName,
            rules.Count == 0 ? fallback : null,
            rules.Count == 0 ? null : new SubscriptionRoutes(fallback, rules),
            Metadata(topic, options),
            string.IsNullOrEmpty(first.DeadLetterTopic) ? null : first.DeadLetterTopic,
            bulk);
    }

    static Dictionary<string, string>? Metadata(List<Taken> topic, SubscribeOptions? options)
    {
        var all = new Dictionary<string, string>();
        foreach (var taken in topic)
        {
            foreach (var named in taken.Metadata.GroupBy(m => m.Name))
                all.TryAdd(named.Key, string.Join(taken.Separator, named.Select(m => m.Value)));
        }

        if (options?.EnableRawPayload == true || topic.Exists(t => t.Raw == true))
            all[RawPayload] = "true";
        return all.Count == 0 ? null : all;
    }

    // One topic of one endpoint. The same pair may be there twice: once per HTTP method.
    sealed record Taken(string PubsubName, string Topic, string? Match, int Priority, string Path, bool? Raw, string? DeadLetterTopic, string Separator)
    {
        public required IReadOnlyList<IOriginalTopicMetadata> Metadata { get; init; }

        public required IBulkSubscribeMetadata? Bulk { get; init; }

        internal static Taken From(RouteEndpoint endpoint, ITopicMetadata topic)
        {
            var owned = (topic as IOwnedOriginalTopicMetadata)?.OwnedMetadatas;
            return new Taken(
                topic.PubsubName,
                topic.Name,
                topic.Match,
                topic.Priority,
                PathOf(endpoint.RoutePattern),
                (topic as IRawTopicMetadata)?.EnableRawPayload,
                (topic as IDeadLetterTopicMetadata)?.DeadLetterTopic,
                (topic as IOwnedOriginalTopicMetadata)?.MetadataSeparator ?? ",")
            {
                Metadata = [.. endpoint.Metadata.GetOrderedMetadata<IOriginalTopicMetadata>().Where(m => string.IsNullOrEmpty(m.Id) || owned?.Contains(m.Id) == true)],
                Bulk = endpoint.Metadata.GetOrderedMetadata<IBulkSubscribeMetadata>().FirstOrDefault(b => b.TopicName == topic.Name),
            };
        }

        public bool Equals(Taken? other) =>
            other is not null
            && (PubsubName, Topic, Match, Priority, Path, Raw, DeadLetterTopic, Separator)
            == (other.PubsubName, other.Topic, other.Match, other.Priority, other.Path, other.Raw, other.DeadLetterTopic, other.Separator);

        public override int GetHashCode() => HashCode.Combine(PubsubName, Topic, Match, Priority, Path);

        // The sidecar posts to one fixed path.
        static string PathOf(RoutePattern pattern) => string.Join('/', pattern.PathSegments.Select(segment => string.Concat(segment.Parts.Select(part =>
            part is RoutePatternLiteralPart literal
                ? literal.Content
                : throw new InvalidOperationException($"The endpoint '{pattern.RawText}' cannot take a topic: its route has parameters.")))));
    }
}
