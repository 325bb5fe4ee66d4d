using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Building.Images;

/// <summary>Images by the SDK's own container publish (https://learn.microsoft.com/dotnet/core/containers/publish-configuration), onto a base that is named by digest.</summary>
internal static class SdkImages
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(20);

    /// <exception cref="CommandException">The SDK failed; the message is its output.</exception>
    public static async Task<List<MadeImage>> MakeAsync(Repository repository, IReadOnlyList<(ImageSettings Settings, string? Pages)> images, string baseImage, string output, Action<string> report, CancellationToken cancel)
    {
        var made = new List<MadeImage>();
        var work = Path.Combine(repository.Artifacts, "images", "sdk");
        Directory.CreateDirectory(work);
        foreach (var (image, pages) in images)
        {
            var service = Path.GetFileName(image.Name);
            var archive = Path.Combine(output, service + ".tar");
            var making = Path.Combine(work, service + ".tar");
            File.Delete(making);
            report($"{service}: published by the SDK");
            var settings = Path.Combine(work, service + ".targets");
            await File.WriteAllTextAsync(settings, Targets(image, pages, baseImage, making), cancel);
            var run = await ToolRun.RunAsync(Repository.DotnetHost,
                ["publish", Path.Combine(repository.Root, "services", service, service + ".csproj"), "-c", Repository.Configuration, "--os", "linux", "--arch", "x64", "--no-self-contained",
                    "-t:PublishContainer", "-v", "q", "-nologo", "-nodeReuse:false", "-clp:NoSummary",
                    $"-p:CustomAfterMicrosoftCommonTargets={settings}", "-getItem:GeneratedContainer"], repository.Root, cancel, limit: Limit);
            if (!run.Succeeded || !File.Exists(making))
                throw new CommandException($"The SDK cannot make the image of {service} (exit code {run.ExitCode}):\n{run.Output.TrimEnd()}");
            File.Move(making, archive, overwrite: true);
            made.Add(new MadeImage(service, archive, DigestIn(run.Output)));
        }

        return made;
    }

    private static string Targets(ImageSettings image, string? pages, string baseImage, string archive)
    {
        // The base brings its own of these.
        var environment = image.Environment.Where(e => e.Key is not ("PATH" or "DOTNET_ROOT" or "SSL_CERT_FILE"));
        return new XElement("Project",
            new XElement("PropertyGroup", [
                Element("ContainerBaseImage", baseImage), Element("ContainerRepository", image.Name), Element("ContainerImageTag", image.Tag), Element("ContainerUser", ImageSettings.User),
                Element("ContainerArchiveOutputPath", archive), Element("ContainerWorkingDirectory", "/app"), Element("ContainerRuntimeIdentifier", "linux-x64"), Element("ContainerImageFormat", "OCI"),
            ]),
            new XElement("ItemGroup", [
                .. image.Ports.Select(p => Item("ContainerPort", $"{p}", ("Type", "tcp"))),
                .. environment.Select(e => Item("ContainerEnvironmentVariable", e.Key, ("Value", e.Value))),
                .. image.Labels.Select(l => Item("ContainerLabel", l.Key, ("Value", l.Value))),
                Item("ContainerLabel", "org.opencontainers.image.base.name", ("Value", baseImage)),
                .. pages is null ? [] : (XElement[])[Item("Content", pages + "/**", ("Link", WebBuild.Storefront + "/%(RecursiveDir)%(Filename)%(Extension)"), ("CopyToPublishDirectory", "PreserveNewest"))],
            ])).ToString();

        static XElement Element(string name, string value) => new(name, value);

        static XElement Item(string kind, string include, params (string Name, string Value)[] metadata) =>
            new(kind, [new XAttribute("Include", include), .. metadata.Select(m => new XAttribute(m.Name, m.Value))]);
    }

    private static string DigestIn(string output)
    {
        try
        {
            var said = JsonNode.Parse(output[output.IndexOf('{', StringComparison.Ordinal)..]);
            return (string?)said?["Items"]?["GeneratedContainer"]?[0]?["ManifestDigest"] ?? "";
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return "";
        }
    }
}
