using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace DaprPlatform.Cli.Building.Images;

/// <summary>Finds what a tag means now, so that an image says by digest what it was made from.</summary>
internal static partial class BaseImage
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    private static readonly string[] Manifests =
        ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

    /// <param name="reference"><c>REGISTRY/NAME:TAG</c> or <c>REGISTRY/NAME@sha256:…</c>.</param>
    /// <param name="cancel">Ends the question.</param>
    /// <returns><c>REGISTRY/NAME@sha256:…</c></returns>
    /// <exception cref="CommandException">It is no such reference, or the registry refuses.</exception>
    /// <exception cref="HttpRequestException">The registry cannot be reached.</exception>
    public static async Task<string> FindAsync(string reference, CancellationToken cancel)
    {
        if (Reference().Match(reference) is not { Success: true } match)
            throw new CommandException($"{reference} is no image of a registry: write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST.");
        var (registry, name) = (match.Groups[1].Value, match.Groups[2].Value);
        var wanted = match.Groups[4].Success ? match.Groups[4].Value : match.Groups[3].Success ? match.Groups[3].Value : "latest";
        using var http = new HttpClient { Timeout = Patience };
        // As every client of registries: without TLS on this machine only.
        var scheme = registry.StartsWith("localhost", StringComparison.Ordinal) || registry.StartsWith("127.0.0.1", StringComparison.Ordinal) ? "http" : "https";
        using var request = new HttpRequestMessage(HttpMethod.Head, new Uri($"{scheme}://{registry}/v2/{name}/manifests/{wanted}"));
        foreach (var type in Manifests)
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(type));
        using var response = await http.SendAsync(request, cancel);
        if (!response.IsSuccessStatusCode)
            throw new CommandException($"{registry} answers {(int)response.StatusCode}");
        var digest = response.Headers.TryGetValues("Docker-Content-Digest", out var values) ? values.First() : match.Groups[4].Success ? wanted : null;
        return digest is not null && Digest().IsMatch(digest) ? $"{registry}/{name}@{digest}" : throw new CommandException($"{registry} does not say the digest of {reference}");
    }

    [GeneratedRegex(@"^((?:[\w-]+\.[\w.-]+|localhost)(?::\d+)?)/([a-z0-9._/-]+)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?$")]
    private static partial Regex Reference();

    [GeneratedRegex("^sha256:[0-9a-f]{64}$")]
    private static partial Regex Digest();
}
