using System.Diagnostics;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Building;

/// <summary>
/// Compiles what was built to native code (ReadyToRun, https://learn.microsoft.com/dotnet/core/deploying/ready-to-run), so that a start does not wait for the just-in-time compiler.
/// The build's own output stays as it is: a program with native code is a folder beside it, made of links into a store where each assembly lies once for all programs, so that they
/// share its memory. Where the compiler cannot be had, programs run as they were built.
/// </summary>
internal sealed class NativeCode(Repository repository, Action<string> report)
{
    private const int KeptVersions = 3;
    private static readonly TimeSpan RestoreLimit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan CompileLimit = TimeSpan.FromMinutes(5);

    private string Store => Path.Combine(repository.Artifacts, "native", "assemblies");

    private string Work => Path.Combine(repository.Artifacts, "native", "compiler");

    private string Pointer => Path.Combine(repository.Artifacts, "native", "platform.path");

    /// <summary>The same program with native code, or the program itself while there is none of what is built now.</summary>
    public static string Of(Repository repository, string assembly)
    {
        var native = Path.Combine(FolderOf(repository, assembly), Path.GetFileName(assembly));
        return File.Exists(native) ? native : assembly;
    }

    /// <summary>Makes what <see cref="Of"/> finds. Failing is no error: it is reported and costs time at each start.</summary>
    public async Task PrepareAsync(IEnumerable<string> assemblies, CancellationToken cancel)
    {
        var missing = assemblies.Where(a => !IsNative(a) && !Directory.Exists(FolderOf(repository, a))).ToList();
        if (missing.Count == 0)
            return;
        try
        {
            var watch = Stopwatch.StartNew();
            report($"compiling {missing.Count} programs to native code");
            var compiler = await FindCompilerAsync(cancel);
            foreach (var assembly in missing)
                await MakeAsync(compiler, assembly, cancel);
            Prune(missing);
            report($"compiled in {watch.Elapsed.TotalSeconds:F1} s");
        }
        catch (Exception e) when (e is CommandException or IOException or UnauthorizedAccessException)
        {
            report($"without native code, which makes starts slower: {e.Message}");
        }
    }

    /// <summary>Tells the script where this command itself is with native code.</summary>
    public void PointTo(string assembly)
    {
        var native = Of(repository, assembly);
        if (native != assembly)
            File.WriteAllText(Pointer, native + "\n");
    }

    private bool IsNative(string assembly) => assembly.StartsWith(Path.Combine(repository.Artifacts, "native"), StringComparison.Ordinal);

    // Named after what it is made of: one that fits is complete and current, and one that runs is never written to.
    private static string FolderOf(Repository repository, string assembly)
    {
        var source = Path.GetDirectoryName(assembly)!;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(source + "\n" + RuntimeInformation.FrameworkDescription + "\n"));
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(f => new FileInfo(f)))
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.FullName}|{file.Length}|{file.LastWriteTimeUtc.Ticks}\n"));
        return Path.Combine(repository.Artifacts, "native", $"{Path.GetFileNameWithoutExtension(assembly)}-{Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}");
    }

    // The SDK knows which compiler is its own; restoring a project that asks for native code brings it.
    private async Task<string> FindCompilerAsync(CancellationToken cancel)
    {
        Directory.CreateDirectory(Work);
        var project = Path.Combine(Work, "compiler.csproj");
        await File.WriteAllTextAsync(project,
            $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net{Environment.Version.Major}.0</TargetFramework>
                <RuntimeIdentifier>{RuntimeInformation.RuntimeIdentifier}</RuntimeIdentifier>
                <SelfContained>false</SelfContained>
                <PublishReadyToRun>true</PublishReadyToRun>
              </PropertyGroup>
            </Project>
            """, cancel);
        var asked = await ToolRun.RunAsync(Repository.DotnetHost,
            ["msbuild", project, "-restore", "-t:ResolveFrameworkReferences;ResolveReadyToRunCompilers", "-getItem:Crossgen2Tool", "-nologo", "-nodeReuse:false"], Work, cancel, limit: RestoreLimit);
        if (!asked.Succeeded)
            throw new CommandException($"the compiler cannot be restored ({ErrorOf(asked.Output)})");
        try
        {
            using var said = JsonDocument.Parse(asked.Output[asked.Output.IndexOf('{', StringComparison.Ordinal)..]);
            return said.RootElement.GetProperty("Items").GetProperty("Crossgen2Tool")[0].GetProperty("Identity").GetString()!;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or ArgumentException or IndexOutOfRangeException)
        {
            throw new CommandException($"the SDK does not say where its compiler is ({e.Message})");
        }
    }

    private async Task MakeAsync(string compiler, string assembly, CancellationToken cancel)
    {
        var source = Path.GetDirectoryName(assembly)!;
        var folder = FolderOf(repository, assembly);
        var making = folder + ".making";
        if (Directory.Exists(making))
            Directory.Delete(making, recursive: true);
        Directory.CreateDirectory(making);
        await Parallel.ForEachAsync(Directory.GetFiles(source, "*", SearchOption.AllDirectories), new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancel },
            async (file, token) =>
            {
                var target = Path.Combine(making, Path.GetRelativePath(source, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                var native = Path.GetDirectoryName(file) == source && await IsIntermediateAsync(file, token) ? await CompileAsync(compiler, file, token) : null;
                // The host looks for its libraries beside the program, past links: the program itself has to lie here.
                if (native is null || file == assembly)
                    File.Copy(native ?? file, target);
                else
                    Link(native, target);
            });
        Directory.Move(making, folder);
    }

    private static async Task<bool> IsIntermediateAsync(string file, CancellationToken cancel)
    {
        if (Path.GetExtension(file) != ".dll")
            return false;
        using var image = new PEReader(new MemoryStream(await File.ReadAllBytesAsync(file, cancel)));
        return image.PEHeaders.CorHeader is { ManagedNativeHeaderDirectory.Size: 0 };
    }

    /// <returns>The assembly with native code, or null when there is nothing in it to compile.</returns>
    private async Task<string?> CompileAsync(string compiler, string file, CancellationToken cancel)
    {
        var key = Convert.ToHexStringLower(SHA256.HashData(
            [.. await File.ReadAllBytesAsync(file, cancel), .. Encoding.UTF8.GetBytes(compiler + RuntimeInformation.FrameworkDescription)]))[..24];
        var compiled = Path.Combine(Store, key, Path.GetFileName(file));
        if (File.Exists(compiled))
            return compiled;
        Directory.CreateDirectory(Path.GetDirectoryName(compiled)!);
        var making = $"{compiled}.{Guid.NewGuid():N}";
        var framework = RuntimeEnvironment.GetRuntimeDirectory();
        var web = Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(framework)))!, "Microsoft.AspNetCore.App",
            Path.GetFileName(Path.TrimEndingDirectorySeparator(framework)));
        var run = await ToolRun.RunAsync(compiler,
            [file, "-o", making, "-r", Path.Combine(framework, "*.dll"), "-r", Path.Combine(web, "*.dll"), "-r", Path.Combine(Path.GetDirectoryName(file)!, "*.dll"),
                "--targetos", TargetSystem, "--targetarch", RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant(), "-O"], repository.Root, cancel, limit: CompileLimit);
        if (run.Succeeded && File.Exists(making))
        {
            File.Move(making, compiled, overwrite: true);
            return compiled;
        }

        File.Delete(making);
        return run.Succeeded ? null : throw new CommandException($"{Path.GetFileName(file)}: {ErrorOf(run.Output)}");
    }

    private static string TargetSystem => OperatingSystem.IsWindows() ? "windows" : OperatingSystem.IsMacOS() ? "osx" : "linux";

    private static void Link(string file, string link)
    {
        // On Windows links are a privilege.
        if (OperatingSystem.IsWindows())
            File.Copy(file, link);
        else
            File.CreateSymbolicLink(link, file);
    }

    private static string ErrorOf(string output)
    {
        var lines = output.TrimEnd().Split('\n');
        return (Array.Find(lines, l => l.Contains("error", StringComparison.OrdinalIgnoreCase)) ?? lines[^1]).Trim();
    }

    // A stack that runs still loads from what it was started with, so the latest few versions stay.
    private void Prune(IReadOnlyList<string> assemblies)
    {
        var native = new DirectoryInfo(Path.Combine(repository.Artifacts, "native"));
        foreach (var name in assemblies.Select(a => Path.GetFileNameWithoutExtension(a)))
        {
            foreach (var old in native.GetDirectories(name + "-*").OrderByDescending(d => d.CreationTimeUtc).Skip(KeptVersions))
                old.Delete(recursive: true);
        }

        if (OperatingSystem.IsWindows())
            return;
        var used = native.EnumerateFiles("*.dll", SearchOption.AllDirectories).Select(f => f.LinkTarget).OfType<string>().Select(Path.GetDirectoryName).ToHashSet();
        foreach (var kept in new DirectoryInfo(Store).EnumerateDirectories().Where(d => !used.Contains(d.FullName) && d.CreationTimeUtc < DateTime.UtcNow.AddDays(-1)))
            kept.Delete(recursive: true);
    }
}
