using System.Diagnostics;
using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Building.Images;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Deployment.Tests.Publishing;

/// <summary>Images of a root file system of this machine: what the format asks for, the same bytes each time, and a service that runs from their layers and nothing else.</summary>
public sealed class ImageTests(ImageTests.Images images) : IClassFixture<ImageTests.Images>
{
    private const string Nobody = "10001";
    private static readonly string[] LayerTypes = ["application/vnd.oci.image.layer.v1.tar+gzip"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("basket")]
    [InlineData("notifications")]
    public async Task An_image_is_what_the_specification_of_OCI_asks_for(string service)
    {
        images.SkipWithout();
        var layout = images.Layout(service);
        Assert.Equal("1.0.0", (string?)Read(layout, "oci-layout")["imageLayoutVersion"]);
        var index = Read(layout, "index.json");
        Assert.Equal(2, (int)index["schemaVersion"]!);
        Assert.Equal("application/vnd.oci.image.index.v1+json", (string?)index["mediaType"]);
        var reference = Assert.Single(index["manifests"]!.AsArray())!;
        Assert.Equal(images.Made.Single(m => m.Service == service).Digest, (string?)reference["digest"]);
        Assert.Equal(("amd64", "linux"), ((string?)reference["platform"]!["architecture"], (string?)reference["platform"]!["os"]));
        var manifest = await BlobAsync(layout, reference, "application/vnd.oci.image.manifest.v1+json");
        Assert.Equal(2, (int)manifest["schemaVersion"]!);
        var config = await BlobAsync(layout, manifest["config"]!, "application/vnd.oci.image.config.v1+json");
        Assert.Equal(("amd64", "linux"), ((string?)config["architecture"], (string?)config["os"]));

        var layers = manifest["layers"]!.AsArray();
        var inner = config["rootfs"]!["diff_ids"]!.AsArray();
        Assert.Equal("layers", (string?)config["rootfs"]!["type"]);
        Assert.Equal(layers.Count, inner.Count);
        for (var i = 0; i < layers.Count; i++)
        {
            var file = await CheckedAsync(layout, layers[i]!, LayerTypes);
            await using var content = new GZipStream(File.OpenRead(file), CompressionMode.Decompress);
            Assert.Equal((string?)inner[i], "sha256:" + Convert.ToHexStringLower(await SHA256.HashDataAsync(content, Cancel)));
        }

        // What no blob needs is not there.
        Assert.Equal(layers.Count + 2, Directory.GetFiles(Path.Combine(layout, "blobs", "sha256")).Length);
        var settings = config["config"]!;
        Assert.Equal($"{Nobody}:{Nobody}", (string?)settings["User"]);
        Assert.NotEmpty(settings["Entrypoint"]!.AsArray());
        Assert.NotEmpty(settings["ExposedPorts"]!.AsObject());
        Assert.NotNull(settings["Healthcheck"]);
        Assert.Contains("io.daprplatform.health", settings["Labels"]!.AsObject());
        var docker = Read(layout, "manifest.json")[0]!;
        Assert.Equal($"daprplatform/{service}:1.0.0", (string?)docker["RepoTags"]![0]);
        Assert.All(docker["Layers"]!.AsArray().Append(docker["Config"]), path => Assert.True(File.Exists(Path.Combine(layout, (string)path!))));
    }

    [Fact]
    public async Task The_same_sources_give_the_same_bytes()
    {
        images.SkipWithout();
        var again = await images.MakeAsync("again", "basket");
        Assert.Equal(images.Made.Single(m => m.Service == "basket").Digest, again.Single().Digest);
        Assert.Equal(await HashAsync(images.Made.Single(m => m.Service == "basket").File), await HashAsync(again.Single().File));
    }

    [Fact]
    public void Nothing_in_an_image_can_be_written_to_but_tmp_and_nothing_raises_rights()
    {
        images.SkipWithout();
        foreach (var service in (string[])["basket", "notifications"])
        {
            var entries = images.Entries(service);
            Assert.All(entries, e => Assert.Equal((0, 0), (e.Uid, e.Gid)));
            const UnixFileMode others = UnixFileMode.OtherWrite | UnixFileMode.GroupWrite;
            Assert.Equal("tmp/", Assert.Single(entries, e => e.EntryType != TarEntryType.SymbolicLink && (e.Mode & others) != 0).Name);
            Assert.All(entries, e => Assert.Equal(UnixFileMode.None, e.Mode & (UnixFileMode.SetUser | UnixFileMode.SetGroup)));
            Assert.Contains(entries, e => e.Name.EndsWith("/libc.so.6", StringComparison.Ordinal));
            Assert.Contains(entries, e => e.Name == "etc/ssl/certs/ca-certificates.crt");
            Assert.Contains(entries, e => e.Name == "usr/share/zoneinfo/Europe/Berlin");
        }
    }

    [Theory]
    [InlineData("basket")]
    [InlineData("notifications")]
    public async Task A_service_runs_from_the_layers_as_nobody_on_a_file_system_that_is_read_only(string service)
    {
        images.SkipWithout();
        await images.SkipWithoutNamespacesAsync();
        var layout = images.Layout(service);
        var manifest = Read(layout, "blobs/" + ((string)Read(layout, "index.json")["manifests"]![0]!["digest"]!).Replace(':', '/'));
        var config = Read(layout, "blobs/" + ((string)manifest["config"]!["digest"]!).Replace(':', '/'))["config"]!;
        var root = images.Unpack(service);
        var environment = config["Env"]!.AsArray().Select(e => ((string)e!).Split('=', 2)).ToDictionary(e => e[0], e => e[1]);
        foreach (var port in environment.Keys.Where(k => k.EndsWith("_PORT", StringComparison.Ordinal)).ToList())
            environment[port] = PortOwners.FindFree().ToString(CultureInfo.InvariantCulture);
        var entrypoint = config["Entrypoint"]!.AsArray().Select(e => (string)e!).ToArray();
        var url = new Uri($"http://127.0.0.1:{environment.GetValueOrDefault("METRICS_PORT", environment["APP_PORT"])}/health/live");

        using var process = Images.Start(root, environment, entrypoint);
        var said = Task.WhenAll(process.StandardOutput.ReadToEndAsync(Cancel), process.StandardError.ReadToEndAsync(Cancel));
        try
        {
            using var http = new HttpClient();
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            limit.CancelAfter(TimeSpan.FromMinutes(2));
            using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
            while (!await AnswersAsync(http, url, limit.Token))
            {
                Assert.False(process.HasExited, process.HasExited ? string.Join('\n', await said) : "");
                await interval.WaitForNextTickAsync(limit.Token);
            }

            var status = await File.ReadAllTextAsync($"/proc/{process.Id}/status", Cancel);
            Assert.Contains($"Uid:\t{Nobody}\t{Nobody}\t{Nobody}\t{Nobody}", status, StringComparison.Ordinal);
            using var check = Images.Start(root, environment, [.. config["Healthcheck"]!["Test"]!.AsArray().Skip(1).Select(e => (string)e!)]);
            await check.WaitForExitAsync(limit.Token);
            Assert.True(check.ExitCode == 0, await check.StandardError.ReadToEndAsync(Cancel));
            environment["METRICS_PORT"] = environment["APP_PORT"] = "1";
            using var sick = Images.Start(root, environment, [.. config["Healthcheck"]!["Test"]!.AsArray().Skip(1).Select(e => (string)e!)]);
            await sick.WaitForExitAsync(limit.Token);
            Assert.NotEqual(0, sick.ExitCode);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_base_that_cannot_be_reached_is_said_and_a_service_that_is_none_is_refused()
    {
        images.SkipWithout();
        var reports = new List<string>();
        var build = new ImageBuild(Repository.Find(), reports.Add);
        var refused = await Assert.ThrowsAsync<CommandException>(() => build.MakeAsync(["nobody"], images.Folder, null, Cancel));
        Assert.Contains("orders", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<HttpRequestException>(() => BaseImage.FindAsync($"localhost:{PortOwners.FindFree()}/dotnet/aspnet:10.0", Cancel));
        await Assert.ThrowsAsync<CommandException>(() => BaseImage.FindAsync("not an image", Cancel));
    }

    private static async Task<bool> AnswersAsync(HttpClient http, Uri url, CancellationToken cancel)
    {
        try
        {
            using var answer = await http.GetAsync(url, cancel);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static JsonNode Read(string layout, string path) => JsonNode.Parse(File.ReadAllText(Path.Combine(layout, path)))!;

    private static async Task<JsonNode> BlobAsync(string layout, JsonNode descriptor, string type) => JsonNode.Parse(await File.ReadAllTextAsync(await CheckedAsync(layout, descriptor, [type]), Cancel))!;

    private static async Task<string> CheckedAsync(string layout, JsonNode descriptor, string[] types)
    {
        Assert.Contains((string?)descriptor["mediaType"], types);
        var digest = (string)descriptor["digest"]!;
        var file = Path.Combine(layout, "blobs", digest.Replace(':', '/'));
        Assert.Equal((long)descriptor["size"]!, new FileInfo(file).Length);
        Assert.Equal(digest, "sha256:" + await HashAsync(file));
        return file;
    }

    private static async Task<string> HashAsync(string file)
    {
        await using var stream = File.OpenRead(file);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, Cancel));
    }

    public sealed class Images : IAsyncLifetime
    {
        // Everything but /tmp is read only; /proc and /dev as any container has them.
        private const string Enter =
            """
            mount --bind "$ROOT" "$ROOT" && mount --rbind /proc "$ROOT/proc" && mount --rbind /dev "$ROOT/dev" && mount -t tmpfs tmpfs "$ROOT/tmp" \
              && mount -o remount,ro,bind "$ROOT" && chroot=$(command -v chroot) && PATH=$IMAGE_PATH && export PATH && exec "$chroot" --userspec=10001:10001 "$ROOT" "$@"
            """;

        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("platform-images-");
        private string? _missing;

        public string Folder => _folder.FullName;

        internal IReadOnlyList<MadeImage> Made { get; private set; } = [];

        public async ValueTask InitializeAsync()
        {
            if (!OperatingSystem.IsLinux())
                _missing = "root file systems are made on Linux";
            else
                Made = await MakeAsync("images", "basket", "notifications");
        }

        public ValueTask DisposeAsync()
        {
            _folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }

        internal Task<IReadOnlyList<MadeImage>> MakeAsync(string name, params string[] services) =>
            new ImageBuild(Repository.Find(), static _ => { }).MakeAsync(services, Path.Combine(Folder, name), null, TestContext.Current.CancellationToken);

        internal void SkipWithout() => Assert.SkipWhen(_missing is not null, $"skipped: {_missing}");

        internal async Task SkipWithoutNamespacesAsync()
        {
            var asked = await ToolRun.RunAsync("unshare", ["--mount", "true"], Folder, TestContext.Current.CancellationToken, limit: TimeSpan.FromMinutes(1));
            Assert.SkipUnless(asked.Succeeded, $"skipped: no mount namespace of our own here ({asked.Output.Trim()})");
        }

        internal string Layout(string service)
        {
            var layout = Path.Combine(Folder, service + "-layout");
            if (!Directory.Exists(layout))
            {
                Directory.CreateDirectory(layout);
                TarFile.ExtractToDirectory(Made.Single(m => m.Service == service).File, layout, overwriteFiles: false);
            }

            return layout;
        }

        internal List<TarEntry> Entries(string service)
        {
            var entries = new List<TarEntry>();
            foreach (var layer in Layers(service))
            {
                using var content = new GZipStream(File.OpenRead(layer), CompressionMode.Decompress);
                using var tar = new TarReader(content);
                while (tar.GetNextEntry(copyData: false) is { } entry)
                    entries.Add(entry);
            }

            return entries;
        }

        internal string Unpack(string service)
        {
            var root = Path.Combine(Folder, service + "-root");
            Directory.CreateDirectory(root);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(root, (UnixFileMode)0b111_101_101);
                File.SetUnixFileMode(Folder, (UnixFileMode)0b111_101_101);
            }

            foreach (var layer in Layers(service))
            {
                // The tool of the machine: .NET's own refuses links that lead outside, as those of an image do when it is not the root.
                using var tar = Process.Start(new ProcessStartInfo("tar", ["-xzf", layer, "-C", root, "--no-same-owner", "-p"]))!;
                tar.WaitForExit();
                Assert.Equal(0, tar.ExitCode);
            }

            return root;
        }

        internal static Process Start(string root, IReadOnlyDictionary<string, string> environment, string[] command)
        {
            var info = new ProcessStartInfo("unshare", ["--mount", "/bin/sh", "-c", Enter, "sh", .. command]) { RedirectStandardOutput = true, RedirectStandardError = true };
            info.Environment.Clear();
            foreach (var (name, value) in environment)
                info.Environment[name] = value;
            info.Environment["IMAGE_PATH"] = environment["PATH"];
            info.Environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
            info.Environment["ROOT"] = root;
            return Process.Start(info)!;
        }

        private List<string> Layers(string service)
        {
            var layout = Layout(service);
            var manifest = Read(layout, "blobs/" + ((string)Read(layout, "index.json")["manifests"]![0]!["digest"]!).Replace(':', '/'));
            return [.. manifest["layers"]!.AsArray().Select(l => Path.Combine(layout, "blobs", ((string)l!["digest"]!).Replace(':', '/')))];
        }
    }
}
