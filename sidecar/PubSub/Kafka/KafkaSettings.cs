using System.Globalization;
using System.Text.RegularExpressions;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Resources;
using DaprPlatform.Sidecar.StandIns;

namespace DaprPlatform.Sidecar.PubSub.Kafka;

/// <summary>
/// Metadata of <c>pubsub.kafka</c> (https://docs.dapr.io/reference/components-reference/supported-pubsub/setup-apache-kafka/). What only a connection to a
/// real broker has a use for is checked as there, and then has no effect.
/// </summary>
internal sealed partial class KafkaSettings
{
    private const int DefaultPort = 9092;
    private static readonly string[] Authentications = ["none", "password", "certificate", "mtls", "oidc", "oidc_private_key_jwt", "awsiam"];
    private static readonly string[] Compressions = ["", "none", "gzip", "snappy", "lz4", "zstd"];

    /// <exception cref="ComponentException">A setting is missing or wrong.</exception>
    public KafkaSettings(ComponentSpec spec)
    {
        Address = spec.Value("brokers") is { Length: > 0 } brokers ? StandInAddress.Of(brokers, DefaultPort) : throw Wrong("missing 'brokers' attribute");
        Group = Given(spec, "consumerGroup") ?? Given(spec, "consumerID") ?? spec.Options.AppId;
        CheckAuthentication(spec);
        FromOldest = (spec.Value("initialOffset") ?? "").ToLowerInvariant() switch
        {
            "oldest" => true,
            "newest" or "" => false,
            _ => throw Wrong($"invalid initialOffset: {spec.Value("initialOffset")}"),
        };
        if (Given(spec, "version") is { } version && !VersionForm().IsMatch(version))
            throw Wrong("invalid kafka version");
        if (!Compressions.Contains((spec.Value("compression") ?? "").ToLowerInvariant()))
            throw Wrong($"invalid compression: {spec.Value("compression")}");
        if ((spec.Value("producerRequiredAcks") ?? "").ToLowerInvariant() is not ("" or "none" or "local" or "all"))
            throw Wrong($"invalid producerRequiredAcks: {spec.Value("producerRequiredAcks")}");
        if (Number(spec, "producerRetryMax", 3) < 0)
            throw Wrong("producerRetryMax must not be negative");
        MaxMessageBytes = Number(spec, "maxMessageBytes", 1 << 20);
        EscapesHeaders = spec.Flag("escapeHeaders");
        Excluded = Given(spec, "excludeHeaderMetaRegex") is { } pattern ? Compiled(pattern) : null;
        Retries = spec.Flag("consumeRetryEnabled", unset: true);
        BackOff = new BackOff(spec);
        HasSchemaRegistry = Given(spec, "schemaRegistryURL") is not null;
    }

    /// <summary>Which log server.</summary>
    public string Address { get; }

    public string Group { get; }

    public bool FromOldest { get; }

    /// <summary>Of a whole record, headers included.</summary>
    public int MaxMessageBytes { get; }

    public bool EscapesHeaders { get; }

    /// <summary>Names of metadata that are neither published nor delivered.</summary>
    public Regex? Excluded { get; }

    public bool Retries { get; }

    public BackOff BackOff { get; }

    public bool HasSchemaRegistry { get; }

    private static void CheckAuthentication(ComponentSpec spec)
    {
        var type = (spec.Value("authType") ?? "").ToLowerInvariant();
        if (type.Length == 0)
        {
            // Before there was authType.
            type = spec.Value("authRequired")?.ToLowerInvariant() switch
            {
                null or "" => throw Wrong("'authType' attribute was missing or empty"),
                "false" or "0" => "none",
                _ => "oidc",
            };
        }

        if (!Authentications.Contains(type))
            throw Wrong("invalid value for 'authType' attribute");
        string[] needed = type switch
        {
            "password" => ["saslUsername", "saslPassword"],
            "certificate" => ["clientCert", "clientKey"],
            "mtls" => ["clientCert", "clientKey"],
            "oidc" => ["oidcTokenEndpoint", "oidcClientID", "oidcClientSecret"],
            "oidc_private_key_jwt" => ["oidcTokenEndpoint", "oidcClientID"],
            _ => [],
        };
        foreach (var name in needed)
        {
            if (Given(spec, name) is null)
                throw Wrong($"missing '{name}' attribute for authType '{type}'");
        }
    }

    private static string? Given(ComponentSpec spec, string name) => spec.Value(name) is { Length: > 0 } value ? value : null;

    private static int Number(ComponentSpec spec, string name, int unset)
    {
        if (Given(spec, name) is not { } text)
            return unset;
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : throw Wrong($"invalid value for '{name}' attribute: {text}");
    }

    private static Regex Compiled(string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw Wrong($"invalid excludeHeaderMetaRegex: {e.Message}");
        }
    }

    internal static ComponentException Wrong(string reason) => new($"kafka error: {reason}");

    [GeneratedRegex(@"^\d+(\.\d+){2,3}$")]
    private static partial Regex VersionForm();
}

/// <summary>How long the component waits before it delivers again: <c>backOff*</c> of its metadata.</summary>
internal sealed class BackOff
{
    private readonly bool _isExponential;
    private readonly TimeSpan _duration;
    private readonly TimeSpan _initial;
    private readonly TimeSpan _longest;
    private readonly TimeSpan _maxElapsed;
    private readonly double _multiplier;
    private readonly double _randomisation;
    private readonly long _maxRetries;

    /// <exception cref="ComponentException">A setting is wrong.</exception>
    public BackOff(ComponentSpec spec)
    {
        _isExponential = (spec.Value("backOffPolicy") ?? "").ToLowerInvariant() switch
        {
            "" or "constant" => false,
            "exponential" => true,
            var other => throw KafkaSettings.Wrong($"unrecognized backOffPolicy {other}"),
        };
        _duration = Time(spec, "backOffDuration", TimeSpan.FromSeconds(5));
        _initial = Time(spec, "backOffInitialInterval", TimeSpan.FromMilliseconds(500));
        _longest = Time(spec, "backOffMaxInterval", TimeSpan.FromSeconds(60));
        _maxElapsed = Time(spec, "backOffMaxElapsedTime", TimeSpan.FromMinutes(15));
        _multiplier = Number(spec, "backOffMultiplier", 1.5);
        _randomisation = Number(spec, "backOffRandomizationFactor", 0.5);
        _maxRetries = (long)Number(spec, "backOffMaxRetries", -1);
    }

    /// <summary>The pause before another attempt; null: give up.</summary>
    /// <param name="attempts">Made so far.</param>
    /// <param name="elapsed">Since the first.</param>
    public TimeSpan? Next(long attempts, TimeSpan elapsed)
    {
        if (_maxRetries >= 0 && attempts > _maxRetries)
            return null;
        if (!_isExponential)
            return _duration;
        if (_maxElapsed > TimeSpan.Zero && elapsed > _maxElapsed)
            return null;
        var interval = Math.Min(_initial.TotalMilliseconds * Math.Pow(_multiplier, attempts - 1), _longest.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(interval * (1 - _randomisation + Random.Shared.NextDouble() * 2 * _randomisation));
    }

    // A bare number is milliseconds.
    private static TimeSpan Time(ComponentSpec spec, string name, TimeSpan unset)
    {
        if (spec.Value(name) is not { Length: > 0 } text)
            return unset;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds))
            return TimeSpan.FromMilliseconds(milliseconds);
        return Durations.TryParseGo(text, out var duration) ? duration : throw KafkaSettings.Wrong($"invalid value for '{name}' attribute: {text}");
    }

    private static double Number(ComponentSpec spec, string name, double unset)
    {
        if (spec.Value(name) is not { Length: > 0 } text)
            return unset;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : throw KafkaSettings.Wrong($"invalid value for '{name}' attribute: {text}");
    }
}
