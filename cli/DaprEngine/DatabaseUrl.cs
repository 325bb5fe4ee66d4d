using System.Globalization;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.DaprEngine;

/// <summary><c>DATABASE_URL</c>: a PostgreSQL server that runs already. Each app keeps a database of its own there, named as its env section says.</summary>
internal static class DatabaseUrl
{
    private const int DefaultPort = 5432;

    /// <exception cref="CommandException">It is no such URL.</exception>
    public static RunFile Apply(RunFile file, string? url)
    {
        if (url is null or "")
            return file;
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("postgres" or "postgresql") || uri.Host.Length == 0)
            throw new CommandException("DATABASE_URL must be postgres://USER:PASSWORD@HOST:PORT.");
        var account = uri.UserInfo.Split(':', 2);
        var settings = new Dictionary<string, string>
        {
            ["POSTGRES_HOST"] = uri.Host,
            ["POSTGRES_PORT"] = (uri.Port > 0 ? uri.Port : DefaultPort).ToString(CultureInfo.InvariantCulture),
        };
        if (account[0].Length > 0)
            settings["POSTGRES_USER"] = Uri.UnescapeDataString(account[0]);
        if (account.Length > 1)
            settings["POSTGRES_PASSWORD"] = Uri.UnescapeDataString(account[1]);
        return file with
        {
            ExternalDatabase = true,
            Apps = [.. file.Apps.Select(app => app.Environment.ContainsKey("POSTGRES_DB") ? app with { Environment = Merge(app.Environment, settings) } : app)],
        };
    }

    private static Dictionary<string, string> Merge(IReadOnlyDictionary<string, string> environment, Dictionary<string, string> settings)
    {
        var merged = environment.ToDictionary();
        foreach (var (name, value) in settings)
            merged[name] = value;
        return merged;
    }
}
