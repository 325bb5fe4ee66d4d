using System.Globalization;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Resources;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.State;

/// <summary>Metadata of <c>state.sqlite</c> (https://docs.dapr.io/reference/components-reference/supported-state-stores/setup-sqlite/).</summary>
internal sealed record SqliteOptions(string Path, string Table, string MetadataTable, TimeSpan? CleanupInterval, DurableStoreOptions Store)
{
    /// <exception cref="ComponentException">A value is missing or malformed.</exception>
    public static SqliteOptions Parse(ComponentSpec spec)
    {
        var connection = spec.Value("connectionString")?.Trim() is { Length: > 0 } given ? given : spec.Value("url")?.Trim() is { Length: > 0 } alias ? alias
            : throw new ComponentException("missing connection string");
        return new SqliteOptions(FileOf(connection), Name(spec, "tableName", "state"), Name(spec, "metadataTableName", "metadata"),
            Interval(spec), new DurableStoreOptions { CreatesFolder = false, WriteAheadLog = !spec.Flag("disableWAL"), BusyTimeout = BusyTimeout(spec) });
    }

    // A path, a URI of SQLite (file:data.db?cache=shared), or :memory:.
    private static string FileOf(string connection)
    {
        var text = connection;
        if (text.StartsWith("file:", StringComparison.OrdinalIgnoreCase))
        {
            text = text["file:".Length..];
            if (text.StartsWith("//", StringComparison.Ordinal))
                text = text.IndexOf('/', 2) is var at and > 0 ? text[at..] : text[2..];
        }

        var query = text.IndexOf('?', StringComparison.Ordinal);
        var parameters = query < 0 ? "" : text[(query + 1)..];
        text = query < 0 ? text : Uri.UnescapeDataString(text[..query]);
        if (text is DurableStore.InMemory or "" || parameters.Split('&').Contains("mode=memory"))
            return DurableStore.InMemory;
        return System.IO.Path.GetFullPath(text);
    }

    private static string Name(ComponentSpec spec, string option, string unset)
    {
        var name = spec.Value(option) is { Length: > 0 } given ? given : unset;
        var legal = name.Length <= 128 && (char.IsAsciiLetter(name[0]) || name[0] == '_') && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
        return legal ? name : throw new ComponentException($"invalid identifier for {option}: {name}");
    }

    private static TimeSpan? Interval(ComponentSpec spec)
    {
        var interval = Duration(spec, "cleanupInterval", TimeSpan.FromHours(1), TimeSpan.FromSeconds(1));
        return interval > TimeSpan.Zero ? interval : null;
    }

    private static TimeSpan BusyTimeout(ComponentSpec spec)
    {
        var timeout = Duration(spec, "busyTimeout", TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(1));
        return timeout > TimeSpan.Zero ? timeout : TimeSpan.FromSeconds(2);
    }

    // Go's durations, or a bare number of units.
    private static TimeSpan Duration(ComponentSpec spec, string option, TimeSpan unset, TimeSpan unit)
    {
        if (spec.Value(option) is not { Length: > 0 } text)
            return unset;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
            return unit * number;
        return Durations.TryParseGo(text, out var duration) ? duration : throw new ComponentException($"invalid value for '{option}': {text}");
    }
}
