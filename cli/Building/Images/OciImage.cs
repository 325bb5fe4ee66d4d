using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.Building.Images;

/// <summary>A blob in a file, named by its digest.</summary>
/// <param name="File">Where it is.</param>
/// <param name="MediaType">What it is.</param>
/// <param name="Digest"><c>sha256:…</c> of its bytes.</param>
/// <param name="Size">Bytes.</param>
/// <param name="DiffId">Of a layer: the digest of what is in the compression.</param>
internal sealed record Blob(string File, string MediaType, string Digest, long Size, string? DiffId = null);

/// <summary>What an image says of itself.</summary>
internal sealed record ImageSettings(string Name, string Tag, IReadOnlyList<string> Entrypoint, IReadOnlyList<int> Ports, IReadOnlyDictionary<string, string> Environment,
    IReadOnlyDictionary<string, string> Labels, IReadOnlyList<string> HealthCheck)
{
    /// <summary>Nobody who owns a file of the image.</summary>
    public const string User = "10001:10001";
}

/// <summary>
/// Writes images as tar files of the OCI image layout (https://github.com/opencontainers/image-spec), which podman, skopeo, containerd and, by the file <c>manifest.json</c>, every docker load.
/// </summary>
internal sealed class OciImage(string work)
{
    public const string IndexType = "application/vnd.oci.image.index.v1+json";
    public const string ManifestType = "application/vnd.oci.image.manifest.v1+json";
    public const string ConfigType = "application/vnd.oci.image.config.v1+json";
    public const string LayerType = "application/vnd.oci.image.layer.v1.tar+gzip";

    private const string Epoch = "1970-01-01T00:00:00Z";

    public async Task<Blob> LayerAsync(TarTree tree, CancellationToken cancel)
    {
        Directory.CreateDirectory(work);
        var making = Path.Combine(work, Guid.NewGuid().ToString("N"));
        using var inner = SHA256.Create();
        using var outer = SHA256.Create();
        await using (var file = File.Create(making))
        await using (var compressed = new CryptoStream(file, outer, CryptoStreamMode.Write))
        await using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest))
        await using (var tar = new CryptoStream(gzip, inner, CryptoStreamMode.Write))
            await tree.WriteAsync(tar, cancel);
        return Keep(making, LayerType, Convert.ToHexStringLower(outer.Hash!), Convert.ToHexStringLower(inner.Hash!));
    }

    /// <returns>The digest of the manifest: the image's name for good.</returns>
    public async Task<string> WriteAsync(ImageSettings settings, IReadOnlyList<(Blob Layer, string From)> layers, string output, CancellationToken cancel)
    {
        var config = await JsonAsync(ConfigType, Config(settings, layers), cancel);
        var manifest = await JsonAsync(ManifestType, new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = ManifestType,
            ["config"] = Descriptor(config),
            ["layers"] = new JsonArray([.. layers.Select(l => Descriptor(l.Layer))]),
            ["annotations"] = Object(settings.Labels),
        }, cancel);
        var reference = Descriptor(manifest);
        reference["platform"] = new JsonObject { ["architecture"] = "amd64", ["os"] = "linux" };
        reference["annotations"] = new JsonObject { ["org.opencontainers.image.ref.name"] = settings.Tag, ["io.containerd.image.name"] = $"docker.io/{settings.Name}:{settings.Tag}" };

        var layout = new TarTree();
        layout.Text("oci-layout", """{"imageLayoutVersion":"1.0.0"}""");
        layout.Text("index.json", Text(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = IndexType, ["manifests"] = new JsonArray(reference) }));
        layout.Text("manifest.json", Text(new JsonArray(new JsonObject
        {
            ["Config"] = PathOf(config),
            ["RepoTags"] = new JsonArray($"{settings.Name}:{settings.Tag}"),
            ["Layers"] = new JsonArray([.. layers.Select(l => JsonValue.Create(PathOf(l.Layer)))]),
        })));
        foreach (var blob in layers.Select(l => l.Layer).Append(config).Append(manifest))
            layout.File(PathOf(blob), blob.File);
        var making = output + ".new";
        await using (var file = File.Create(making))
            await layout.WriteAsync(file, cancel);
        File.Move(making, output, overwrite: true);
        return manifest.Digest;
    }

    private static JsonObject Config(ImageSettings settings, IReadOnlyList<(Blob Layer, string From)> layers) => new()
    {
        ["created"] = Epoch,
        ["architecture"] = "amd64",
        ["os"] = "linux",
        ["config"] = new JsonObject
        {
            ["User"] = ImageSettings.User,
            ["ExposedPorts"] = new JsonObject(settings.Ports.Order().Select(p => KeyValuePair.Create($"{p}/tcp", (JsonNode?)new JsonObject()))),
            ["Env"] = new JsonArray([.. settings.Environment.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => JsonValue.Create($"{e.Key}={e.Value}"))]),
            ["Entrypoint"] = new JsonArray([.. settings.Entrypoint.Select(e => JsonValue.Create(e))]),
            ["WorkingDir"] = "/app",
            ["Labels"] = Object(settings.Labels),
            ["StopSignal"] = "SIGTERM",
            // Docker's own; others go by the label and by the probes of their manifests. Nanoseconds.
            ["Healthcheck"] = new JsonObject
            {
                ["Test"] = new JsonArray(["CMD", .. settings.HealthCheck.Select(e => JsonValue.Create(e))]),
                ["Interval"] = 10_000_000_000,
                ["Timeout"] = 3_000_000_000,
                ["StartPeriod"] = 30_000_000_000,
                ["Retries"] = 3,
            },
        },
        ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray([.. layers.Select(l => JsonValue.Create(l.Layer.DiffId!))]) },
        ["history"] = new JsonArray([.. layers.Select(l => new JsonObject { ["created"] = Epoch, ["created_by"] = l.From })]),
    };

    private static JsonObject Object(IReadOnlyDictionary<string, string> values) =>
        new(values.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => KeyValuePair.Create(v.Key, (JsonNode?)JsonValue.Create(v.Value))));

    private static JsonObject Descriptor(Blob blob) => new() { ["mediaType"] = blob.MediaType, ["digest"] = blob.Digest, ["size"] = blob.Size };

    private static string PathOf(Blob blob) => "blobs/" + blob.Digest.Replace(':', '/');

    private static string Text(JsonNode node) => node.ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private async Task<Blob> JsonAsync(string mediaType, JsonNode node, CancellationToken cancel)
    {
        var making = Path.Combine(work, Guid.NewGuid().ToString("N"));
        var bytes = System.Text.Encoding.UTF8.GetBytes(Text(node));
        await File.WriteAllBytesAsync(making, bytes, cancel);
        return Keep(making, mediaType, Convert.ToHexStringLower(SHA256.HashData(bytes)), null);
    }

    private Blob Keep(string making, string mediaType, string hash, string? inner)
    {
        var file = Path.Combine(work, hash);
        File.Move(making, file, overwrite: true);
        return new Blob(file, mediaType, "sha256:" + hash, new FileInfo(file).Length, inner is null ? null : "sha256:" + inner);
    }
}
