namespace DaprPlatform.Cli.Building;

/// <summary>The pages in <c>web/</c>: each folder with a package.json is an npm package whose build writes to <c>artifacts/web/NAME</c>, from where the gateway and this program serve it.</summary>
internal static class WebBuild
{
    public const string Storefront = "storefront";

    /// <summary>Builds what changed since it was built.</summary>
    /// <exception cref="CommandException">npm failed; the message is its output.</exception>
    public static async Task PrepareAsync(Repository repository, Action<string> report, CancellationToken cancel)
    {
        var web = Path.Combine(repository.Root, "web");
        if (!Directory.Exists(web))
            return;
        string[] besides = [Path.Combine(web, "build"), Path.Combine(repository.Root, "services", "gateway", "openapi.json"), Path.Combine(repository.Root, "cli", "Console", "openapi.json")];
        // Side by side: what one waits for the network or the disk, the other computes.
        var packages = Directory.GetDirectories(web).Where(f => File.Exists(Path.Combine(f, "package.json"))).Order(StringComparer.Ordinal);
        await Task.WhenAll(packages.Select(folder => NodePackages.PrepareAsync(repository, folder, report, cancel, OutputOf(repository, Path.GetFileName(folder)), besides)));
    }

    /// <summary>Where the pages are once they are built.</summary>
    public static string OutputOf(Repository repository, string name) => Path.Combine(repository.Artifacts, "web", name);

    public static bool IsBuilt(Repository repository, string name) => File.Exists(Path.Combine(OutputOf(repository, name), "index.html"));
}
