using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Supervision;

/// <summary>A port of a run file that somebody else holds.</summary>
internal sealed record TakenPort(string Use, ConfiguredPort Port, PortOwner Owner);

/// <summary>Looks for the ports of a run file before anything is started on them.</summary>
internal static class PortCheck
{
    private const int ManyPorts = 3;

    public static IReadOnlyList<TakenPort> Find(RunFile file)
    {
        var uses = file.Ports().Select(p => (Use: $"{p.App.AppId} {p.Use}", p.Port)).ToList();
        if (DatabaseSettings.From(file) is { } database)
            uses.Add(("PostgreSQL", database.Port));
        return [.. PortOwners.Of([.. uses.Select(u => u.Port.Number).Distinct()]).Select(owner =>
        {
            var (use, port) = uses.First(u => u.Port.Number == owner.Port);
            return new TakenPort(use, port, owner);
        })];
    }

    /// <exception cref="CommandException">Ports are taken; the message names their owners and the settings.</exception>
    public static void Verify(RunFile file)
    {
        var taken = Find(file);
        if (taken.Count == 0)
            return;
        var lines = taken.GroupBy(t => t.Owner.Pid).Select(owner => owner.Count() > ManyPorts && owner.Key is not null
            ? $"Ports {string.Join(", ", owner.Select(t => t.Port.Number))} ({string.Join(", ", owner.Select(t => t.Use))}) are held by {owner.First().Owner}."
            : string.Join('\n', owner.Select(t => Describe(t, file))));
        throw new CommandException(string.Join('\n', lines.Append("End it, set another port, or shift all of them with --port-offset N.")));
    }

    private static string Describe(TakenPort taken, RunFile file)
    {
        var setting = taken.Port.Setting is { } s ? $"; the setting is {s.Field} in {Path.GetFileName(file.Path)}:{s.Line}" : "";
        return $"Port {taken.Port.Number} ({taken.Use}) is held by {taken.Owner}{setting}.";
    }
}
