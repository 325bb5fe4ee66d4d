using System.Globalization;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Resources;
using DaprPlatform.Sidecar.StandIns;

namespace DaprPlatform.Sidecar.PubSub.Redis;

/// <summary>Metadata of <c>pubsub.redis</c> (https://docs.dapr.io/reference/components-reference/supported-pubsub/setup-redis-pubsub/).</summary>
internal sealed class RedisSettings
{
    private const int DefaultPort = 6379;

    /// <exception cref="ComponentException">A setting is missing or wrong.</exception>
    public RedisSettings(ComponentSpec spec)
    {
        if (spec.Value("redisHost") is not { Length: > 0 } host)
            throw new ComponentException("redis streams error: missing redisHost");
        var database = Whole(spec, "redisDB", 0);
        Address = $"{StandInAddress.Of(host, DefaultPort)}/{database.ToString(CultureInfo.InvariantCulture)}";
        foreach (var flag in (ReadOnlySpan<string>)["enableTLS", "failover"])
        {
            if (spec.Value(flag)?.ToLowerInvariant() is not (null or "" or "true" or "false" or "1" or "0" or "t" or "f"))
                throw Wrong(flag, spec.Value(flag)!);
        }

        Group = spec.Value("consumerID") is { Length: > 0 } group ? group : spec.Options.AppId;
        Concurrency = (int)Math.Clamp(Whole(spec, "concurrency", 10), 1, 10_000);
        _ = Whole(spec, "queueDepth", 100);
        Keep = Whole(spec, "maxLenApprox", 0) is > 0 and var most ? most : null;
        ProcessingTimeout = Milliseconds(spec, "processingTimeout") ?? (spec.Value("processingTimeout") is { Length: > 0 } text
            ? Durations.TryParseGo(text, out var duration) ? duration : throw Wrong("processingTimeout", text)
            : TimeSpan.FromSeconds(60));

        // Anything but a bare number of milliseconds is ignored, as recorded.
        RedeliverInterval = Milliseconds(spec, "redeliverInterval") ?? TimeSpan.FromSeconds(15);
    }

    /// <summary>Which stream server, and which of its databases.</summary>
    public string Address { get; }

    public string Group { get; }

    /// <summary>Messages under way at a time.</summary>
    public int Concurrency { get; }

    /// <summary>Entries a stream is cut down to; null: not cut.</summary>
    public long? Keep { get; }

    /// <summary>A message not answered within this is delivered again; 0: never.</summary>
    public TimeSpan ProcessingTimeout { get; }

    /// <summary>How often is looked for such messages; 0: never.</summary>
    public TimeSpan RedeliverInterval { get; }

    public bool Redelivers => ProcessingTimeout > TimeSpan.Zero && RedeliverInterval > TimeSpan.Zero;

    private static TimeSpan? Milliseconds(ComponentSpec spec, string name) =>
        long.TryParse(spec.Value(name), NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds) ? TimeSpan.FromMilliseconds(milliseconds) : null;

    private static long Whole(ComponentSpec spec, string name, long unset)
    {
        if (spec.Value(name) is not { Length: > 0 } text)
            return unset;
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw Wrong(name, text);
    }

    private static ComponentException Wrong(string name, string value) => new($"redis streams error: can't parse {name} field: {value}");
}
