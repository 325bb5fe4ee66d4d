using System.Text.RegularExpressions;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What is not for eyes: by its name, or inside a URL.</summary>
internal static partial class Secrets
{
    public const string Hidden = "***";

    public static bool IsSecret(string name) => Names().IsMatch(name);

    /// <summary>A value as it may be shown.</summary>
    public static string Show(string name, string value) => IsSecret(name) ? Hidden : UserInfo().Replace(value, "$1***@");

    // A key of data (an idempotency key, a partition key) is no secret; a key that opens something is.
    [GeneratedRegex("password|passwd|pwd|secret|token|credential|connectionstring|apikey|api[-_.]key|accesskey|access[-_.]key|private[-_.]?key|encryption[-_.]?key|^key$|authorization|cookie", RegexOptions.IgnoreCase)]
    private static partial Regex Names();

    [GeneratedRegex("([a-z][a-z0-9+.-]*://)[^/@\\s]+@", RegexOptions.IgnoreCase)]
    private static partial Regex UserInfo();
}
