using System.Runtime.InteropServices;

namespace DaprPlatform.Cli.Building;

/// <summary>The .NET runtime that this process runs on, for those who get a copy of it.</summary>
internal static class DotnetRuntime
{
    /// <summary>The folder of the installation.</summary>
    public static string Root { get; } = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    public static string Version { get; } = Path.GetFileName(Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory()));

    /// <summary>What an app needs of an installation, relative to <see cref="Root"/>: the resolver of frameworks and the two frameworks.</summary>
    /// <exception cref="CommandException">The installation lacks one of them.</exception>
    public static IReadOnlyList<string> Parts()
    {
        string[] parts = [Path.Combine("host", "fxr", Version), Path.Combine("shared", "Microsoft.NETCore.App", Version), Path.Combine("shared", "Microsoft.AspNetCore.App", Version)];
        foreach (var part in parts.Where(p => !Directory.Exists(Path.Combine(Root, p))))
            throw new CommandException($"{Path.Combine(Root, part)} is missing: this installation of .NET cannot be copied.");
        return parts;
    }

    /// <summary>Files beside the parts that go with a copy: the host, and the licences under which it is given on.</summary>
    public static IEnumerable<string> Files() => ((string[])["dotnet", "LICENSE.txt", "ThirdPartyNotices.txt"]).Where(f => File.Exists(Path.Combine(Root, f)));

    public static void CopyTo(string folder)
    {
        foreach (var part in Parts())
            FileTree.Copy(Path.Combine(Root, part), Path.Combine(folder, part));
        foreach (var file in Files())
            File.Copy(Path.Combine(Root, file), Path.Combine(folder, file), overwrite: true);
    }
}
