namespace DaprPlatform.Sidecar.Components;

/// <summary>
/// How a component keeps the keys of its users apart: metadata <c>keyPrefix</c> (https://docs.dapr.io/developing-applications/building-blocks/state-management/howto-share-state/).
/// </summary>
internal sealed class KeyPrefix
{
    public const string Separator = "||";

    private readonly string _prefix;

    /// <exception cref="ComponentException">A literal prefix contains the separator.</exception>
    public KeyPrefix(ComponentSpec spec)
    {
        var prefix = spec.Value("keyPrefix") switch
        {
            null or "" or "appid" => spec.Options.AppId,
            "name" => spec.Name,
            "none" => "",
            "namespace" => spec.Options.Variable("NAMESPACE") is { } ns ? $"{ns}.{spec.Options.AppId}" : spec.Options.AppId,
            var literal => literal,
        };
        if (!IsLegal(prefix))
            throw new ComponentException(Refusal(prefix));
        _prefix = prefix.Length > 0 ? prefix + Separator : "";
    }

    public static bool IsLegal(string key) => !key.Contains(Separator, StringComparison.Ordinal);

    public static string Refusal(string key) => $"input key/keyPrefix '{key}' can't contain '{Separator}'";

    /// <summary>The key as it is stored.</summary>
    public string Stored(string key) => _prefix + key;

    /// <summary>The key as its user knows it: what stands after the first separator.</summary>
    public static string Original(string stored)
    {
        var at = stored.IndexOf(Separator, StringComparison.Ordinal);
        return at < 0 ? stored : stored[(at + Separator.Length)..];
    }
}
