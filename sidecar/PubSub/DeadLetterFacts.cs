using System.Globalization;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>What is known of a dead letter where it is given up. Kept as headers beside the message, which stays as it was published.</summary>
/// <param name="AppId">Whose app could not process it.</param>
/// <param name="Attempts">Deliveries to the app before it was given up; 0: it could not even be read or routed.</param>
/// <param name="Cause">Why, in the app's words where it said some; at most 1,000 characters.</param>
/// <param name="Topic">Where it was read; null where the broker does not say.</param>
/// <param name="Partition">Of that topic.</param>
/// <param name="Offset">In that partition.</param>
public sealed record DeadLetterFacts(string AppId, int Attempts, string Cause, string? Topic = null, int? Partition = null, long? Offset = null)
{
    /// <summary>An app that answers a delivery may say why it is no success: a trailer with UTF-8 over gRPC, a percent-encoded header over HTTP.</summary>
    internal const string CauseTrailer = "event-cause-bin";

    /// <inheritdoc cref="CauseTrailer"/>
    internal const string CauseHeader = "event-cause";

    private const string Prefix = "__dead_letter_";
    private const string AppHeader = Prefix + "app";
    private const string AttemptsHeader = Prefix + "attempts";
    private const string ReasonHeader = Prefix + "cause";
    private const int LongestCause = 1000;

    /// <summary>Null where the headers are not those of a dead letter whose facts were kept.</summary>
    public static DeadLetterFacts? Of(IEnumerable<KeyValuePair<string, string>> headers)
    {
        ArgumentNullException.ThrowIfNull(headers);
        string? app = null, cause = null, topic = null;
        int? attempts = null, partition = null;
        long? offset = null;
        foreach (var (name, value) in headers)
        {
            switch (name)
            {
                case AppHeader: app = value; break;
                case ReasonHeader: cause = value; break;
                case AttemptsHeader: attempts = (int?)Number(value); break;
                case "__topic": topic = value; break;
                case "__partition": partition = (int?)Number(value); break;
                case "__offset": offset = Number(value); break;
            }
        }

        return app is not null && attempts is { } count ? new DeadLetterFacts(app, count, cause ?? "", topic, partition, offset) : null;
    }

    /// <summary>Also the broker's own words on where a message was read: nothing that a message carries on.</summary>
    public static bool IsDeliveryHeader(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.StartsWith("__", StringComparison.Ordinal);
    }

    internal static bool IsOne(string name) => name.StartsWith(Prefix, StringComparison.Ordinal);

    internal PubSubMessage On(PubSubMessage message)
    {
        var metadata = message.Metadata is { } own ? new Dictionary<string, string>(own) : [];
        metadata[AppHeader] = AppId;
        metadata[AttemptsHeader] = Attempts.ToString(CultureInfo.InvariantCulture);
        metadata[ReasonHeader] = Cause.Length <= LongestCause ? Cause : Cause[..LongestCause];
        return message with { Metadata = metadata };
    }

    private static long? Number(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
