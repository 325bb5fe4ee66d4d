namespace Dapr.AspNetCore;

// Names and order are those of the answer to GET /dapr/subscribe.
internal sealed record Subscription(
    string Topic, string PubsubName, string? Route, SubscriptionRoutes? Routes, IReadOnlyDictionary<string, string>? Metadata, string? DeadLetterTopic, SubscriptionBulk? BulkSubscribe);

internal sealed record SubscriptionRoutes(string? Default, IReadOnlyList<SubscriptionRule> Rules);

internal sealed record SubscriptionRule(string Match, string Path);

internal sealed record SubscriptionBulk(bool Enabled, int MaxMessagesCount, int MaxAwaitDurationMs);
