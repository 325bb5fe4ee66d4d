using System.Xml.Linq;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Building;

/// <summary>What is executed for an app.</summary>
internal sealed record Launch(string FileName, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment);

/// <summary>A <c>dotnet run</c> whose project is known: it can be built with the others and started without the tool.</summary>
internal sealed record DotnetRun(string Project, string Configuration, IReadOnlyList<string> AppArguments)
{
    /// <summary>Null when the command is something else, or says more than what the built program would do by itself.</summary>
    public static DotnetRun? From(RunApp app)
    {
        if (app.Command is not ["dotnet", "run", ..])
            return null;
        string? project = null;
        var configuration = "Debug";
        var launchProfile = true;
        IReadOnlyList<string> arguments = [];
        for (var i = 2; i < app.Command.Count; i++)
        {
            switch (app.Command[i])
            {
                case "-c" or "--configuration" when i + 1 < app.Command.Count:
                    configuration = app.Command[++i];
                    break;
                case "--project" when i + 1 < app.Command.Count:
                    project = Path.GetFullPath(Path.Combine(app.Folder, app.Command[++i]));
                    break;
                case "--no-launch-profile":
                    launchProfile = false;
                    break;
                case "--no-build" or "--no-restore":
                    break;
                case "--":
                    arguments = [.. app.Command.Skip(i + 1)];
                    i = app.Command.Count;
                    break;
                default:
                    return null;
            }
        }

        if (project is null || Directory.Exists(project))
        {
            var projects = Directory.GetFiles(project ?? app.Folder, "*.csproj");
            if (projects.Length != 1)
                return null;
            project = projects[0];
        }

        // A launch profile sets variables and ports of its own: only the tool does that.
        var hasProfile = File.Exists(Path.Combine(Path.GetDirectoryName(project)!, "Properties", "launchSettings.json"));
        return launchProfile && hasProfile ? null : new DotnetRun(project, configuration, arguments);
    }

    /// <summary>The program the project builds, or null when it is not built.</summary>
    public string? Assembly
    {
        get
        {
            var output = Path.Combine(Path.GetDirectoryName(Project)!, "bin", Configuration);
            var name = XDocument.Load(Project).Descendants("AssemblyName").FirstOrDefault()?.Value ?? Path.GetFileNameWithoutExtension(Project);
            return Directory.Exists(output)
                ? Directory.EnumerateFiles(output, name + ".dll", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 })
                    .OrderByDescending(File.GetLastWriteTimeUtc).FirstOrDefault()
                : null;
        }
    }
}

internal static class AppLauncher
{
    // 32 MB (the variable is hexadecimal). Left to itself the collector lets each of several processes take what the processor's cache would hold for one.
    private const string NurseryBudget = "2000000";

    /// <summary>The built program itself where the command is a plain <c>dotnet run</c>; otherwise the command as it stands.</summary>
    /// <exception cref="CommandException">The program was not built.</exception>
    public static Launch Resolve(Repository repository, RunApp app)
    {
        if (DotnetRun.From(app) is not { } run)
            return new Launch(Program(app), [.. app.Command.Skip(1)], IsDotnet(app) ? new Dictionary<string, string> { ["DOTNET_GCGen0MaxBudget"] = NurseryBudget } : []);
        if (run.Assembly is not { } built)
            throw new CommandException($"{run.Project} is not built ({run.Configuration}).");
        var assembly = NativeCode.Of(repository, built);
        var root = Path.GetDirectoryName(Repository.DotnetHost)!;
        var program = OperatingSystem.IsWindows() ? Path.ChangeExtension(assembly, ".exe") : Path.ChangeExtension(assembly, null);
        return File.Exists(program) && root.Length > 0
            ? new Launch(program, run.AppArguments, new Dictionary<string, string> { ["DOTNET_ROOT"] = root, ["DOTNET_GCGen0MaxBudget"] = NurseryBudget })
            : new Launch(Repository.DotnetHost, ["exec", assembly, .. run.AppArguments], new Dictionary<string, string>());
    }
    // One with a folder in its name is relative to the app's folder, others are looked for on PATH.
    private static string Program(RunApp app) => app.Command[0].Contains('/', StringComparison.Ordinal) ? Path.GetFullPath(Path.Combine(app.Folder, app.Command[0])) : app.Command[0];

    // A published program.
    private static bool IsDotnet(RunApp app) => File.Exists(Program(app) + ".runtimeconfig.json");
}
