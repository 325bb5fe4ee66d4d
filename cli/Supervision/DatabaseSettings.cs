using System.Globalization;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Supervision;

/// <summary>The PostgreSQL server that the apps of a run file expect, from the env sections.</summary>
internal sealed record DatabaseSettings(ConfiguredPort Port, string User, string Password)
{
    private static readonly string[] Local = ["", "localhost", "127.0.0.1"];

    /// <summary>Null when no app expects one on this machine.</summary>
    /// <exception cref="CommandException">The apps expect different ones.</exception>
    public static DatabaseSettings? From(RunFile file)
    {
        if (file.ExternalDatabase)
            return null;
        var wanted = file.Apps.Where(a => a.Environment.ContainsKey("POSTGRES_PORT") && Local.Contains(a.Environment.GetValueOrDefault("POSTGRES_HOST", "")))
            .Select(From)
            .DistinctBy(d => (d.Port.Number, d.User, d.Password))
            .ToList();
        return wanted.Count switch
        {
            0 => null,
            1 => wanted[0],
            _ => throw new CommandException("The env sections of the apps name different PostgreSQL servers on this machine (POSTGRES_PORT, POSTGRES_USER, POSTGRES_PASSWORD); one is started."),
        };
    }

    private static DatabaseSettings From(RunApp app)
    {
        const int last = 65535;
        var (text, setting) = (app.Environment["POSTGRES_PORT"], app.EnvironmentSettings["POSTGRES_PORT"]);
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is 0 or > last)
            throw new CommandException($"{setting.Field} (line {setting.Line}) must be a port, not '{text}'.");
        return new DatabaseSettings(new ConfiguredPort(port, setting), app.Environment.GetValueOrDefault("POSTGRES_USER", "platform"),
            app.Environment.GetValueOrDefault("POSTGRES_PASSWORD", ""));
    }
}
