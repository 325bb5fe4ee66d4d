using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Postgres;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Building;

/// <summary>
/// Makes a folder in which everything runs without the clone and without the .NET SDK: every service, this command with the runtime in it, daprd, the end-to-end tests, one copy of .NET
/// for all of them, Node.js, PostgreSQL, and what they read. The services bring their migrations with them.
/// </summary>
internal sealed partial class Publication(Repository repository, Action<string> report)
{
    private const string Target = "linux-x64";
    private const string RunFileName = "dapr.yaml";
    private const string DotnetFolder = "dotnet";
    private const string Making = Repository.PublicationMark + ".making";

    // Replaced at each publication; what else lies in the folder (.platform) stays.
    private static readonly string[] Own = ["bin", DotnetFolder, "node", PostgresBinaries.PublishedFolder, "services", "tests", "components", "config", "monitoring", "loadtest"];

    private static readonly string[] Settings = ["components", "config", "monitoring", "loadtest", Path.Combine("tests", "data")];

    private const string Script =
        """
        #!/bin/sh
        # Everything that this starts lies in this folder: no .NET, no Node.js and no PostgreSQL of the machine is needed.
        root=$(cd -P "$(dirname "$(readlink -f "$0")")" && pwd) || exit 1
        if [ ! -f "$root/publication.json" ]; then
          echo "$root is not complete: publish it again." >&2
          exit 1
        fi
        DAPR_PLATFORM_ROOT=$root
        export DAPR_PLATFORM_ROOT
        exec "$root/bin/platform/platform" "$@"

        """;

    /// <exception cref="CommandException">A build failed, or the folder holds something else.</exception>
    public async Task MakeAsync(string output, CancellationToken cancel)
    {
        repository.NeedsClone("publish");
        if (RuntimeInformation.RuntimeIdentifier != Target)
            throw new CommandException($"Everything is published on {Target} only: it takes .NET, Node.js and PostgreSQL of the machine along, and this is {RuntimeInformation.RuntimeIdentifier}.");
        var file = RunFileReader.Read(Path.Combine(repository.Root, RunFileName));
        await ClearAsync(output, cancel);
        var watch = Stopwatch.StartNew();

        report($"publishing {file.Apps.Count} apps, the command, daprd and the end-to-end tests for {Target}");
        var services = file.Apps.Select(DotnetRun.From).OfType<DotnetRun>().Select(r => r.Project).Distinct();
        string[] programs = ["cli/DaprPlatform.Cli.csproj", "sidecar/Daprd/Daprd.csproj", "tests/EndToEnd.Tests/EndToEnd.Tests.csproj"];
        await ProgramPublication.PublishAsync(repository, [.. programs.Select(p => Path.Combine(repository.Root, p)), .. services], output, $"../../{DotnetFolder}", cancel);
        DotnetRuntime.CopyTo(Path.Combine(output, DotnetFolder));

        await WebBuild.PrepareAsync(repository, report, cancel);
        var node = await PublishNodeAsync(file, output, cancel);
        await PublishPostgresAsync(output, cancel);
        await PublishSettingsAsync(file, output, node, cancel);
        Verify(output);
        var making = Path.Combine(output, Making);
        await File.WriteAllTextAsync(making, JsonSerializer.Serialize(new
        {
            version = typeof(Publication).Assembly.GetName().Version?.ToString(3),
            target = Target,
            dotnet = DotnetRuntime.Version,
            node = node is not null,
            apps = file.Apps.Select(a => a.AppId),
        }, new JsonSerializerOptions { WriteIndented = true }) + "\n", cancel);
        File.Move(making, Path.Combine(output, Repository.PublicationMark));
        report($"published in {watch.Elapsed.TotalSeconds:F0} s");
    }

    // From here to the end the folder has no mark, and its command refuses to start.
    private async Task ClearAsync(string output, CancellationToken cancel)
    {
        Directory.CreateDirectory(output);
        var mark = Path.Combine(output, Repository.PublicationMark);
        var interrupted = Path.Combine(output, Making);
        if (Directory.EnumerateFileSystemEntries(output).Any() && !File.Exists(mark) && !File.Exists(interrupted))
            throw new CommandException($"{output} holds something that is no publication: give a folder that is empty or is to be made.");
        using (var client = new ControlClient(new DataFolder(Path.Combine(output, ".platform")).Socket))
        {
            if (await client.StatusAsync(cancel) is { } running)
                throw new CommandException($"A stack runs from {output} (pid {running.Pid}): end it with {Path.Combine(output, "platform")} down.");
        }

        await File.WriteAllTextAsync(interrupted, "", cancel);
        File.Delete(mark);
        foreach (var folder in Own)
            FileTree.Delete(Path.Combine(output, folder));
        FileTree.Delete(Path.Combine(output, "artifacts", "web"));
    }

    /// <returns>Where Node.js is in the publication, or null when it stays the machine's.</returns>
    private async Task<string?> PublishNodeAsync(RunFile file, string output, CancellationToken cancel)
    {
        var apps = file.Apps.Where(a => a.Command is ["node", ..]).ToList();
        if (apps.Count == 0)
            return null;
        foreach (var app in apps)
            await NodePublication.CopyAsync(repository, app.Folder, Path.Combine(output, repository.Relative(app.Folder)), report, cancel);
        if (await NodePublication.FindSelfContainedNodeAsync(cancel) is not { } node)
        {
            report("Node.js of this machine is not one program: the publication takes that of the machine it runs on");
            return null;
        }

        var copy = Path.Combine(output, "node", "bin", "node");
        Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
        File.Copy(node, copy);
        return copy;
    }

    private async Task PublishPostgresAsync(string output, CancellationToken cancel)
    {
        var binaries = await PostgresBinaries.LocateAsync(repository, report, cancel);
        if (binaries.Origin != PostgresBinaries.PackageOrigin)
        {
            report($"PostgreSQL of {binaries.Origin} cannot be moved: the publication takes that of the machine it runs on");
            return;
        }

        // What links programs against it is not needed.
        FileTree.Copy(Path.GetDirectoryName(binaries.Folder)!, Path.Combine(output, PostgresBinaries.PublishedFolder),
            path => !path.EndsWith(".a", StringComparison.Ordinal) && Path.GetFileName(path) is not ("pkgconfig" or "include"));
    }

    private async Task PublishSettingsAsync(RunFile file, string output, string? node, CancellationToken cancel)
    {
        foreach (var folder in Settings)
            FileTree.Copy(Path.Combine(repository.Root, folder), Path.Combine(output, folder), path => Path.GetFileName(path) != "node_modules");
        // The storefront and the console, where they were built; the gateway finds them at the same place as in the clone.
        var web = Path.Combine(repository.Artifacts, "web");
        if (Directory.Exists(web))
            FileTree.Copy(web, Path.Combine(output, "artifacts", "web"));
        File.Copy(Path.Combine(repository.Root, "README.md"), Path.Combine(output, "README.md"), overwrite: true);
        foreach (var app in file.Apps)
        {
            foreach (var text in (string[])["README.md", "METRICS.md"])
            {
                if (File.Exists(Path.Combine(app.Folder, text)))
                    File.Copy(Path.Combine(app.Folder, text), Path.Combine(output, repository.Relative(app.Folder), text), overwrite: true);
            }
        }

        await File.WriteAllTextAsync(Path.Combine(output, RunFileName), Adapt(await File.ReadAllTextAsync(file.Path, cancel), file, node is null ? null : output), cancel);
        var script = Path.Combine(output, "platform");
        await File.WriteAllTextAsync(script, Script, cancel);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
    }

    /// <summary>The run file with the published programs in place of <c>dotnet run</c>, and all else as it stands.</summary>
    private string Adapt(string text, RunFile file, string? nodeIn)
    {
        var apps = new Queue<RunApp>(file.Apps.Where(a => a.Command.Count > 0));
        var adapted = CommandLine().Replace(text, match =>
        {
            if (!apps.TryDequeue(out var app))
                throw Unreadable();
            return $"{match.Groups[1].Value}[{string.Join(", ", Command(app).Select(Quote))}]";
        });
        if (apps.Count > 0)
            throw Unreadable();
        return "# Made by `./platform publish`. `./platform up` reads it; so does `dapr run -f dapr.yaml` of the Dapr CLI.\n" + LeadingComments().Replace(adapted, "");

        IEnumerable<string> Command(RunApp app)
        {
            if (DotnetRun.From(app) is { Assembly: { } assembly } run)
                return ["./" + Path.GetFileNameWithoutExtension(assembly), .. run.AppArguments];
            if (app.Command[0] == "node" && nodeIn is not null)
                return [Path.GetRelativePath(app.Folder, Path.Combine(repository.Root, "node", "bin", "node")), .. app.Command.Skip(1)];
            return app.Command;
        }

        static string Quote(string word) => PlainWord().IsMatch(word) ? word : JsonSerializer.Serialize(word);

        CommandException Unreadable() => new($"{file.Path}: every command must stand on one line, as [program, argument, ...].");
    }

    // A publication that cannot start is none.
    private static void Verify(string output)
    {
        foreach (var app in RunFileReader.Read(Path.Combine(output, RunFileName)).Apps)
        {
            if (app.Command.Count > 0 && app.Command[0].Contains('/', StringComparison.Ordinal) && !File.Exists(Path.Combine(app.Folder, app.Command[0])))
                throw new CommandException($"{Path.Combine(app.Folder, app.Command[0])} was not made.");
        }
    }

    [GeneratedRegex(@"^(\s+command:\s*)\[.*\][ \t]*$", RegexOptions.Multiline)]
    private static partial Regex CommandLine();

    [GeneratedRegex(@"\A(#.*\n)+")]
    private static partial Regex LeadingComments();

    [GeneratedRegex(@"^[\w./-]+$")]
    private static partial Regex PlainWord();
}
