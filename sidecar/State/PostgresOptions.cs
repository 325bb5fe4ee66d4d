using System.Globalization;
using System.Text;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Resources;
using Npgsql;

namespace DaprPlatform.Sidecar.State;

/// <summary>Metadata of <c>state.postgresql</c>, version 1 (https://docs.dapr.io/reference/components-reference/supported-state-stores/setup-postgresql-v1/).</summary>
internal sealed record PostgresOptions(string ConnectionString, string Table, string MetadataTable, TimeSpan? CleanupInterval)
{
    /// <exception cref="ComponentException">A value is missing or malformed.</exception>
    public static PostgresOptions Parse(ComponentSpec spec)
    {
        var builder = Connection(spec.Required("connectionString"));
        builder.CommandTimeout = (int)Math.Max(1, Duration(spec, "timeout", Duration(spec, "timeoutInSeconds", TimeSpan.FromSeconds(20))).TotalSeconds);
        if (spec.Value("maxConns") is { Length: > 0 } connections)
            builder.MaxPoolSize = int.TryParse(connections, CultureInfo.InvariantCulture, out var limit) && limit > 0 ? limit : throw new ComponentException($"invalid value for 'maxConns': {connections}");
        var interval = Duration(spec, "cleanupInterval", Duration(spec, "cleanupIntervalInSeconds", TimeSpan.FromHours(1)));
        return new PostgresOptions(builder.ConnectionString, TableName(spec, "tableName", "state"), TableName(spec, "metadataTableName", "dapr_metadata"), interval > TimeSpan.Zero ? interval : null);
    }

    /// <summary>A connection string of libpq: a URI, or words of the form <c>key=value</c> with quotes where a value has spaces.</summary>
    /// <exception cref="ComponentException">It is neither.</exception>
    public static NpgsqlConnectionStringBuilder Connection(string text)
    {
        var builder = new NpgsqlConnectionStringBuilder { Pooling = true };
        if (text.StartsWith("postgres://", StringComparison.Ordinal) || text.StartsWith("postgresql://", StringComparison.Ordinal))
        {
            if (!Uri.TryCreate(text, UriKind.Absolute, out var uri))
                throw new ComponentException("the connection string is no URI");
            var user = uri.UserInfo.Split(':', 2);
            Set(builder, "host", uri.Host);
            Set(builder, "port", uri.Port > 0 ? uri.Port.ToString(CultureInfo.InvariantCulture) : "5432");
            Set(builder, "user", Uri.UnescapeDataString(user[0]));
            Set(builder, "password", user.Length > 1 ? Uri.UnescapeDataString(user[1]) : "");
            Set(builder, "dbname", Uri.UnescapeDataString(uri.AbsolutePath.TrimStart('/')));
            foreach (var pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
            {
                var parts = pair.Split('=', 2);
                Set(builder, parts[0], parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "");
            }

            return builder;
        }

        foreach (var (key, value) in Words(text))
            Set(builder, key, value);
        return builder;
    }

    // What libpq knows and the driver has no word for, such as a pool's settings, is left out.
    private static void Set(NpgsqlConnectionStringBuilder builder, string key, string value)
    {
        if (value.Length == 0)
            return;
        switch (key.ToLowerInvariant())
        {
            case "host" or "hostaddr":
                builder.Host = value;
                break;
            case "port":
                builder.Port = int.TryParse(value, CultureInfo.InvariantCulture, out var port) ? port : throw new ComponentException($"the connection string has a malformed port: {value}");
                break;
            case "user":
                builder.Username = value;
                break;
            case "password":
                builder.Password = value;
                break;
            case "dbname" or "database":
                builder.Database = value;
                break;
            case "sslmode":
                builder.SslMode = Enum.TryParse<SslMode>(value.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out var mode) ? mode : throw new ComponentException($"the connection string has an unknown sslmode: {value}");
                break;
            case "sslrootcert":
                builder.RootCertificate = value;
                break;
            case "sslcert":
                builder.SslCertificate = value;
                break;
            case "sslkey":
                builder.SslKey = value;
                break;
            case "connect_timeout":
                builder.Timeout = int.TryParse(value, CultureInfo.InvariantCulture, out var seconds) ? seconds : throw new ComponentException($"the connection string has a malformed connect_timeout: {value}");
                break;
            case "application_name":
                builder.ApplicationName = value;
                break;
        }
    }

    private static IEnumerable<(string Key, string Value)> Words(string text)
    {
        for (var at = 0; ;)
        {
            while (at < text.Length && (char.IsWhiteSpace(text[at]) || text[at] == ';'))
                at++;
            if (at == text.Length)
                yield break;
            var equals = text.IndexOf('=', at);
            if (equals < 0)
                throw new ComponentException("the connection string has a word without '='");
            var key = text[at..equals].Trim();
            at = equals + 1;
            while (at < text.Length && char.IsWhiteSpace(text[at]))
                at++;
            var quoted = at < text.Length && text[at] == '\'';
            if (quoted)
                at++;
            var value = new StringBuilder();
            while (at < text.Length && (quoted ? text[at] != '\'' : !char.IsWhiteSpace(text[at]) && text[at] != ';'))
            {
                if (text[at] == '\\' && at + 1 < text.Length)
                    at++;
                value.Append(text[at++]);
            }

            if (quoted && at++ >= text.Length)
                throw new ComponentException("the connection string has a quote without end");
            yield return (key, value.ToString());
        }
    }

    // "table" or "schema.table".
    private static string TableName(ComponentSpec spec, string option, string unset)
    {
        var name = spec.Value(option) is { Length: > 0 } given ? given : unset;
        var parts = name.Split('.');
        return parts.Length <= 2 && parts.All(p => p.Length is > 0 and <= 63 && !char.IsAsciiDigit(p[0]) && p.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
            ? name
            : throw new ComponentException($"invalid value for '{option}': {name}");
    }

    private static TimeSpan Duration(ComponentSpec spec, string option, TimeSpan unset)
    {
        if (spec.Value(option) is not { Length: > 0 } text)
            return unset;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds))
            return TimeSpan.FromSeconds(seconds);
        return Durations.TryParseGo(text, out var duration) ? duration : throw new ComponentException($"invalid value for '{option}': {text}");
    }
}
