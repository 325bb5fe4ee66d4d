using System.Runtime.InteropServices;

namespace DaprPlatform.Cli;

/// <summary>Where things lie in the clone that this command belongs to.</summary>
internal sealed class Repository(string root)
{
    public const string RootVariable = "DAPR_PLATFORM_ROOT";
    public const string Configuration = "Release";

    /// <summary>The file that says that a folder is what <c>publish</c> made, complete.</summary>
    public const string PublicationMark = "publication.json";

    public string Root { get; } = root;

    /// <summary>Not a clone but what <c>publish</c> made of one: programs and settings, nothing to build from.</summary>
    public bool IsPublication { get; } = File.Exists(Path.Combine(root, PublicationMark));

    /// <summary>The Node.js of a publication; in a clone the machine's.</summary>
    public string Node => IsPublication && File.Exists(Path.Combine(Root, "node", "bin", "node")) ? Path.Combine(Root, "node", "bin", "node") : "node";

    /// <summary>What builds and test runs leave behind; never committed.</summary>
    public string Artifacts => Path.Combine(Root, "artifacts");

    public string Solution => Path.Combine(Root, "DaprPlatform.slnx");

    public string PostgresPackage => Path.Combine(Root, "cli", "Postgres");

    /// <summary>The dotnet host that this process runs on: children use the same.</summary>
    public static string DotnetHost { get; } = FindDotnetHost();

    /// <exception cref="CommandException">No clone around the current folder.</exception>
    public static Repository Find()
    {
        if (Environment.GetEnvironmentVariable(RootVariable) is { Length: > 0 } given && Directory.Exists(given))
            return new Repository(Path.GetFullPath(given));
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "DaprPlatform.slnx")) || File.Exists(Path.Combine(folder.FullName, PublicationMark)))
                return new Repository(folder.FullName);
        }

        throw new CommandException($"The clone of the project was not found around {AppContext.BaseDirectory}; start the command by its script ./platform.");
    }

    /// <exception cref="CommandException">This is a publication.</exception>
    public void NeedsClone(string command)
    {
        if (IsPublication)
            throw new CommandException($"./platform {command} needs a clone of the project: a publication holds nothing to build from.");
    }

    public string Relative(string path) => Path.GetRelativePath(Root, path);

    private static string FindDotnetHost()
    {
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        var besideRuntime = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
        return File.Exists(besideRuntime) ? besideRuntime : name;
    }
}
