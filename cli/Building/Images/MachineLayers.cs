using System.Text.RegularExpressions;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Building.Images;

/// <summary>
/// A root file system from what is installed here, for where no base image can be had: the C and C++ libraries, OpenSSL, zlib, certificates, time zones, and bash for the health check;
/// no package manager and no other program. Which packages of Debian that is stands in it, in the way that scanners read (<c>/var/lib/dpkg/status.d</c>), with their licences.
/// </summary>
internal static partial class MachineLayers
{
    // What .NET loads by name, when it is asked for TLS, compression or names.
    private static readonly string[] Loaded = ["libssl.so.3", "libcrypto.so.3", "libz.so.1", "libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2"];
    private static readonly string[] LibraryFolders = ["/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64"];
    private static readonly string[] Certificates = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
    private static readonly string[] Merged = ["bin", "lib", "lib64"];
    private const string Zones = "/usr/share/zoneinfo";
    // .NET traces to it where it is installed; it is not here and not wanted.
    private const string Tracing = "liblttng-ust";
    private const string Shell = "/bin/bash";

    /// <param name="programs">Programs and libraries whose needs are met.</param>
    /// <param name="cancel">Ends the look.</param>
    /// <exception cref="CommandException">Something that is needed is not installed here.</exception>
    public static async Task<TarTree> SystemAsync(IEnumerable<string> programs, CancellationToken cancel)
    {
        var tree = new TarTree();
        var files = new HashSet<string>(StringComparer.Ordinal) { Shell };
        var loaded = Loaded.Select(name => LibraryFolders.Select(f => Path.Combine(f, name)).FirstOrDefault(File.Exists)).OfType<string>().ToList();
        if (!loaded.Any(l => l.Contains("libssl", StringComparison.Ordinal)))
            throw new CommandException("OpenSSL 3 (libssl.so.3) is not installed: no root file system can be made from this machine.");
        files.UnionWith(loaded);
        foreach (var program in programs.Concat(loaded).Append(Shell))
            files.UnionWith(await NeedsAsync(program, cancel));
        foreach (var link in Merged.Where(m => new DirectoryInfo("/" + m).LinkTarget is not null))
            tree.Link(link, new DirectoryInfo("/" + link).LinkTarget!);
        foreach (var file in files)
            tree.File(Place(file), file);

        tree.File("etc/ssl/certs/ca-certificates.crt", Certificates.FirstOrDefault(File.Exists) ?? throw new CommandException("No certificates (ca-certificates) are installed: no root file system can be made from this machine."));
        if (!Directory.Exists(Zones))
            throw new CommandException("No time zones (tzdata) are installed: no root file system can be made from this machine.");
        tree.Tree(Zones[1..], Zones, path => !path.StartsWith("right/", StringComparison.Ordinal) && !path.StartsWith("posix/", StringComparison.Ordinal) && IsInside(path));
        tree.Text("etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\napp:x:10001:10001:app:/tmp:/sbin/nologin\n");
        tree.Text("etc/group", "root:x:0:\napp:x:10001:\n");
        tree.Text("etc/nsswitch.conf", "hosts: files dns\n");
        if (File.Exists("/etc/os-release"))
            tree.File("etc/os-release", "/etc/os-release");
        foreach (var folder in (string[])["proc", "sys", "dev", "run", "etc"])
            tree.Folder(folder);
        tree.Folder("tmp", writable: true);
        await AddPackagesAsync(tree, [.. files, Certificates[0], Zones + "/UTC"], cancel);
        return tree;

        static bool IsInside(string path) => new FileInfo(Path.Combine(Zones, path)).LinkTarget is not { } link || !Path.IsPathRooted(link);
    }

    public static TarTree Dotnet()
    {
        var tree = new TarTree();
        foreach (var part in DotnetRuntime.Parts())
            tree.Tree("usr/share/dotnet/" + part, Path.Combine(DotnetRuntime.Root, part));
        foreach (var file in DotnetRuntime.Files())
            tree.File("usr/share/dotnet/" + file, Path.Combine(DotnetRuntime.Root, file));
        return tree;
    }

    public static TarTree Node(string program)
    {
        var tree = new TarTree();
        tree.File("usr/local/bin/node", program);
        return tree;
    }

    /// <summary>Native files of the installation of .NET.</summary>
    public static IEnumerable<string> DotnetLibraries() =>
        DotnetRuntime.Parts().SelectMany(p => Directory.EnumerateFiles(Path.Combine(DotnetRuntime.Root, p), "*.so")).Append(Path.Combine(DotnetRuntime.Root, "dotnet"));

    private static async Task<IEnumerable<string>> NeedsAsync(string program, CancellationToken cancel)
    {
        var asked = await ToolRun.RunAsync("ldd", [program], "/", cancel, limit: TimeSpan.FromMinutes(1));
        if (asked.Output.Contains("not a dynamic executable", StringComparison.Ordinal) || asked.Output.Contains("statically linked", StringComparison.Ordinal))
            return [];
        var missing = asked.Output.Split('\n').FirstOrDefault(l => l.Contains("not found", StringComparison.Ordinal) && !l.Contains(Tracing, StringComparison.Ordinal));
        if (!asked.Succeeded || missing is not null)
            throw new CommandException($"{program} does not find its libraries here: {(missing ?? asked.Output).Trim()}");
        // Those of its own folder come with it.
        return Library().Matches(asked.Output).Select(m => m.Groups[1].Value).Where(l => Path.GetDirectoryName(l) != Path.GetDirectoryName(program));
    }

    // Under the folder that it really is in; the name is the one by which it is asked for.
    private static string Place(string file)
    {
        var top = file.Split('/')[1];
        var merged = Array.IndexOf(Merged, top) >= 0 ? new DirectoryInfo("/" + top).LinkTarget : null;
        return merged is null ? file[1..] : $"{merged.TrimStart('/')}{file[(top.Length + 1)..]}";
    }

    private static async Task AddPackagesAsync(TarTree tree, List<string> files, CancellationToken cancel)
    {
        const string tool = "/usr/bin/dpkg-query";
        if (!File.Exists(tool))
            return;
        // Packages name a file by the path of their time: with or without the merged /usr.
        var paths = files.SelectMany(f => (string[])[f, "/" + Place(f), f.StartsWith("/usr/", StringComparison.Ordinal) ? f[4..] : f]).Distinct().Order(StringComparer.Ordinal);
        var asked = await ToolRun.RunAsync(tool, ["-S", .. paths], "/", cancel, new Dictionary<string, string> { ["LC_ALL"] = "C" }, limit: TimeSpan.FromMinutes(1));
        foreach (var package in Owner().Matches(asked.Output).Select(m => m.Groups[1].Value).Append("ca-certificates").Distinct().Order(StringComparer.Ordinal))
        {
            var status = await ToolRun.RunAsync(tool, ["-s", package], "/", cancel, new Dictionary<string, string> { ["LC_ALL"] = "C" }, limit: TimeSpan.FromMinutes(1));
            if (!status.Succeeded)
                continue;
            var name = package.Split(':')[0];
            tree.Text($"var/lib/dpkg/status.d/{name}", status.Output);
            if (File.Exists($"/usr/share/doc/{name}/copyright"))
                tree.File($"usr/share/doc/{name}/copyright", $"/usr/share/doc/{name}/copyright");
        }
    }

    [GeneratedRegex(@"(?:=>\s+|^\s*)(/\S+) \(0x", RegexOptions.Multiline)]
    private static partial Regex Library();

    [GeneratedRegex(@"^([a-z0-9][\w.+:-]*): /", RegexOptions.Multiline)]
    private static partial Regex Owner();
}
