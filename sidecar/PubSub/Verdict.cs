namespace DaprPlatform.Sidecar.PubSub;

internal enum VerdictKind
{
    /// <summary>Handled.</summary>
    Success,

    /// <summary>To be tried again.</summary>
    Retry,

    /// <summary>Not wanted: no further attempt, but a dead letter where there is a topic for them.</summary>
    Drop,

    /// <summary>The app does not know the call at all: no further attempt, no dead letter.</summary>
    Ignore,
}

/// <summary>What an app makes of an event.</summary>
/// <param name="Reason">Why it is no success.</param>
/// <param name="Detail">What the app itself said of it; null: nothing.</param>
internal readonly record struct Verdict(VerdictKind Kind, string Reason = "", string? Detail = null)
{
    public static Verdict Success => default;

    public static Verdict Retry(string reason) => new(VerdictKind.Retry, reason);

    public static Verdict Drop(string reason) => new(VerdictKind.Drop, reason);

    public static Verdict Ignore(string reason) => new(VerdictKind.Ignore, reason);

    /// <summary>By the status an app answers over HTTP; none is a success.</summary>
    public static Verdict Of(string? status) => status switch
    {
        null or "" or "SUCCESS" => Success,
        "RETRY" => Retry("RETRY status returned from app while processing pub/sub event"),
        "DROP" => Drop("DROP status returned from app while processing pub/sub event"),
        _ => Retry($"unknown status returned from app while processing pub/sub event: {status}"),
    };

    public static Verdict Of(Dapr.Proto.Runtime.V1.TopicEventResponse.Types.TopicEventResponseStatus status) => (int)status switch
    {
        0 => Success,
        1 => Of("RETRY"),
        2 => Of("DROP"),
        var other => Of($"{other}"),
    };
}

/// <summary>An event as it goes to the app.</summary>
/// <param name="Envelope">The envelope; of a raw message only where it is needed.</param>
/// <param name="Trace">The span of the delivery; null where it has none.</param>
internal sealed record AppEvent(Subscription Subscription, PubSubMessage Message, ReadOnlyMemory<byte> Envelope, string Id, Observability.Span? Trace);

/// <summary>One way to the app.</summary>
internal interface IEventSink
{
    /// <param name="rule">The one that matched.</param>
    ValueTask<Verdict> SendAsync(AppEvent @event, SubscriptionRule rule, CancellationToken cancellationToken);
}

/// <summary>A way to the app that takes many events at once.</summary>
internal interface IBulkEventSink
{
    /// <summary>A verdict for each event, in their order.</summary>
    ValueTask<Verdict[]> SendAsync(IReadOnlyList<BulkEvent> events, Subscription subscription, SubscriptionRule rule, Observability.Span? trace, CancellationToken cancellationToken);
}

/// <summary>An event of a bulk delivery.</summary>
/// <param name="EntryId">Made for this delivery.</param>
internal sealed record BulkEvent(string EntryId, PubSubMessage Message, ReadOnlyMemory<byte> Envelope);
