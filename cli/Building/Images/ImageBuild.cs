using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Building.Images;

/// <summary>An image that was made.</summary>
/// <param name="Service">Of which service.</param>
/// <param name="File">The tar file.</param>
/// <param name="Digest">Of its manifest.</param>
internal sealed record MadeImage(string Service, string File, string Digest);

/// <summary>
/// Makes images of services as tar files, without Docker: by the SDK onto the base image where its registry answers, else onto a root file system of what is installed here.
/// </summary>
internal sealed partial class ImageBuild(Repository repository, Action<string> report)
{
    private const int MetricsPort = 8081;
    private const string Gateway = "gateway";

    // As in images/*.Dockerfile: nothing but what the images have.
    private static readonly string[] DotnetHealth =
        ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$METRICS_PORT && printf 'GET /health/live HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"];

    private static readonly string[] NodeHealth =
        ["node", "-e", "fetch(`http://127.0.0.1:${process.env.APP_PORT}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"];

    /// <param name="services">App ids; none is all of them.</param>
    /// <param name="output">The folder for the tar files; made when missing.</param>
    /// <param name="baseImage">A reference with a tag or a digest; null: none, but a root file system of this machine.</param>
    /// <param name="cancel">Ends the build.</param>
    /// <exception cref="CommandException">There is no such service, or something failed.</exception>
    public async Task<IReadOnlyList<MadeImage>> MakeAsync(IReadOnlyList<string> services, string output, string? baseImage, CancellationToken cancel)
    {
        repository.NeedsClone("image build");
        var all = RunFileReader.Read(Path.Combine(repository.Root, "dapr.yaml")).Apps;
        if (services.FirstOrDefault(s => !all.Any(a => a.AppId == s)) is { } unknown)
            throw new CommandException($"There is no service {unknown}; there are {string.Join(", ", all.Select(a => a.AppId))}.");
        var apps = all.Where(a => services.Count == 0 || services.Contains(a.AppId)).ToList();
        Directory.CreateDirectory(output);
        if (apps.Exists(a => a.AppId == Gateway))
            await WebBuild.PrepareAsync(repository, report, cancel);
        var pinned = baseImage is null ? null : await FindBaseAsync(baseImage, cancel);
        var made = new List<MadeImage>();
        if (pinned is not null)
            made.AddRange(await SdkImages.MakeAsync(repository, [.. apps.Where(a => DotnetRun.From(a) is not null).Select(a => (Settings(a), Pages(a)))], pinned, output, report, cancel));
        var left = apps.Where(a => made.TrueForAll(m => m.Service != a.AppId)).ToList();
        if (left.Count > 0)
            made.AddRange(await FromMachineAsync(left, output, cancel));
        return made;
    }

    private async Task<string?> FindBaseAsync(string image, CancellationToken cancel)
    {
        try
        {
            var digest = await BaseImage.FindAsync(image, cancel);
            report($"base image {digest}");
            return digest;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or CommandException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            report($"the base image {image} cannot be reached ({e.Message}): the images get the libraries and the .NET {DotnetRuntime.Version} of this machine instead");
            return null;
        }
    }

    private async Task<List<MadeImage>> FromMachineAsync(List<RunApp> apps, string output, CancellationToken cancel)
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            throw new CommandException($"A root file system for linux-x64 cannot be made of this machine ({RuntimeInformation.RuntimeIdentifier}).");
        var work = Path.Combine(repository.Artifacts, "images", "work");
        var published = Path.Combine(repository.Artifacts, "images", "apps");
        FileTree.Delete(work);
        FileTree.Delete(published);
        var oci = new OciImage(work);
        var made = new List<MadeImage>();
        try
        {
            var dotnet = apps.Where(a => DotnetRun.From(a) is not null).ToList();
            if (dotnet.Count > 0)
            {
                report($"publishing {dotnet.Count} services");
                await ProgramPublication.PublishAsync(repository, dotnet.Select(a => DotnetRun.From(a)!.Project), published, null, cancel);
                var system = await oci.LayerAsync(await MachineLayers.SystemAsync(MachineLayers.DotnetLibraries(), cancel), cancel);
                var runtime = await oci.LayerAsync(MachineLayers.Dotnet(), cancel);
                foreach (var app in dotnet)
                    await WriteAsync(app, Dotnet(app, published), [(system, "libraries of this machine"), (runtime, $".NET {DotnetRuntime.Version}")]);
            }

            var node = apps.Where(a => a.Command is ["node", _, ..]).ToList();
            if (node.Count > 0)
            {
                var program = await NodePublication.FindSelfContainedNodeAsync(cancel) ?? throw new CommandException("Node.js of this machine is not one program and cannot go into an image; use images/notifications.Dockerfile.");
                var system = await oci.LayerAsync(await MachineLayers.SystemAsync([program], cancel), cancel);
                var runtime = await oci.LayerAsync(MachineLayers.Node(program), cancel);
                foreach (var app in node)
                {
                    await NodePublication.CopyAsync(repository, app.Folder, Path.Combine(published, repository.Relative(app.Folder)), report, cancel);
                    var tree = new TarTree();
                    tree.Tree("app", Path.Combine(published, repository.Relative(app.Folder)));
                    await WriteAsync(app, tree, [(system, "libraries of this machine"), (runtime, "Node.js")]);
                }
            }
        }
        finally
        {
            FileTree.Delete(work);
            FileTree.Delete(published);
        }

        return made;

        async Task WriteAsync(RunApp app, TarTree files, List<(Blob, string)> below)
        {
            var file = Path.Combine(output, app.AppId + ".tar");
            var digest = await oci.WriteAsync(Settings(app), [.. below, (await oci.LayerAsync(files, cancel), app.AppId)], file, cancel);
            made.Add(new MadeImage(app.AppId, file, digest));
            report($"{app.AppId}: {new FileInfo(file).Length / (1024 * 1024)} MB, {digest}");
        }
    }

    private TarTree Dotnet(RunApp app, string published)
    {
        var tree = new TarTree();
        var folder = Path.Combine(published, repository.Relative(app.Folder));
        tree.Tree("app", folder);
        tree.Link("app/service", Program(app));
        if (Pages(app) is { } pages)
            tree.Tree("app/" + WebBuild.Storefront, pages);
        return tree;
    }

    // Where the gateway looks for them unless it is told otherwise: beside its program.
    private string? Pages(RunApp app) => app.AppId == Gateway && WebBuild.IsBuilt(repository, WebBuild.Storefront) ? WebBuild.OutputOf(repository, WebBuild.Storefront) : null;

    private static string Program(RunApp app) => Path.GetFileNameWithoutExtension(DotnetRun.From(app)!.Assembly ?? throw new CommandException($"{app.AppId} was not built."));

    private ImageSettings Settings(RunApp app)
    {
        var dotnet = DotnetRun.From(app) is not null;
        var port = app.AppPort!.Value.Number;
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ["LISTEN_ON_ALL"] = "true",
            ["APP_PORT"] = $"{port}",
            ["SSL_CERT_FILE"] = "/etc/ssl/certs/ca-certificates.crt",
        };
        if (dotnet)
        {
            environment["ASPNETCORE_ENVIRONMENT"] = "Production";
            environment["METRICS_PORT"] = $"{MetricsPort}";
            environment["DOTNET_ROOT"] = "/usr/share/dotnet";
            environment["DOTNET_RUNNING_IN_CONTAINER"] = "true";
            environment["DOTNET_EnableDiagnostics"] = "0";
        }
        else
        {
            environment["NODE_ENV"] = "production";
        }

        var version = Version();
        return new ImageSettings($"daprplatform/{app.AppId}", version, dotnet ? ["/app/service"] : ["/usr/local/bin/node", "/app/" + app.Command[1], .. app.Command.Skip(2)], dotnet ? [port, MetricsPort] : [port], environment,
            new Dictionary<string, string>
            {
                ["org.opencontainers.image.title"] = app.AppId,
                ["org.opencontainers.image.version"] = version,
                ["io.daprplatform.health"] = $"http://127.0.0.1:{(dotnet ? MetricsPort : port)}/health/live",
            }, dotnet ? DotnetHealth : NodeHealth);
    }

    // The tag that the chart asks for.
    private string Version() => ChartVersion().Match(File.ReadAllText(Path.Combine(repository.Root, "k8s", "helm", "Chart.yaml"))) is { Success: true } match
        ? match.Groups[1].Value
        : throw new CommandException("k8s/helm/Chart.yaml says no appVersion.");

    [GeneratedRegex(@"^appVersion:\s*""?([\w.-]+)", RegexOptions.Multiline)]
    private static partial Regex ChartVersion();
}
