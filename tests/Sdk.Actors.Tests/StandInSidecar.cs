using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sdk.Actors.Tests;

internal sealed record Sent(string Verb, string Path, string? ContentType, string Body, IReadOnlyDictionary<string, string> Headers);

/// <summary>Does what the sidecar does for actors: passes calls on to the app, and keeps state, timers and reminders.</summary>
internal sealed class StandInSidecar(TimeProvider time) : HttpMessageHandler
{
    private readonly ConcurrentDictionary<string, (string Value, DateTimeOffset? Expiry)> _state = new();

    public HttpMessageInvoker? App { get; set; }

    /// <summary>Whether calls are given a reentrancy id.</summary>
    public bool Reentrant { get; set; }

    public ConcurrentQueue<Sent> Requests { get; } = new();

    /// <summary>Timers and reminders by their path.</summary>
    public ConcurrentDictionary<string, string> Ticks { get; } = new();

    /// <summary>Answers instead, if it gives an answer.</summary>
    public Func<HttpRequestMessage, HttpResponseMessage?> Override { get; set; } = _ => null;

    public string? StateOf(string actor, string key) => _state.TryGetValue($"{actor}/{key}", out var found) ? found.Value : null;

    public IEnumerable<Sent> SentTo(string part) => Requests.Where(request => request.Path.Contains(part, StringComparison.Ordinal));

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var bytes = request.Content is null ? [] : await request.Content.ReadAsByteArrayAsync(cancellationToken);
        var path = request.RequestUri!.AbsolutePath;
        Assert.StartsWith("/v1.0/actors/", path);
        Requests.Enqueue(new Sent(
            request.Method.Method,
            path,
            request.Content?.Headers.ContentType?.ToString(),
            Encoding.UTF8.GetString(bytes),
            request.Headers.ToDictionary(header => header.Key, header => string.Join(',', header.Value), StringComparer.OrdinalIgnoreCase)));
        if (Override(request) is { } answer)
            return answer;
        var parts = path["/v1.0/actors/".Length..].Split('/');
        var actor = $"{parts[0]}/{parts[1]}";
        return (request.Method.Method, parts[2]) switch
        {
            ("PUT", "method") => await CallAsync($"/actors/{actor}/method/{parts[3]}", request, bytes, cancellationToken),
            ("GET", "state") => GetState($"{actor}/{Uri.UnescapeDataString(parts[3])}"),
            ("PUT", "state") => SaveState(actor, bytes),
            ("PUT", _) => Keep(path, bytes),
            ("GET", _) => Ticks.TryGetValue(path, out var tick) ? Answer(HttpStatusCode.OK, tick) : Answer(HttpStatusCode.NotFound),
            _ => Remove(path),
        };
    }

    private async Task<HttpResponseMessage> CallAsync(string path, HttpRequestMessage request, byte[] body, CancellationToken cancellationToken)
    {
        using var forwarded = new HttpRequestMessage(HttpMethod.Put, "http://app" + path) { Content = new ByteArrayContent(body) };
        forwarded.Content.Headers.ContentType = request.Content?.Headers.ContentType;
        foreach (var header in request.Headers)
            forwarded.Headers.TryAddWithoutValidation(header.Key, header.Value);
        if (Reentrant && !forwarded.Headers.Contains("Dapr-Reentrancy-Id"))
            forwarded.Headers.Add("Dapr-Reentrancy-Id", Guid.NewGuid().ToString());
        HttpResponseMessage response;
        try
        {
            response = await App!.SendAsync(forwarded, cancellationToken);
        }
        catch (Exception thrown) when (!cancellationToken.IsCancellationRequested)
        {
            // The test server throws what Kestrel would answer with 500.
            return Failed($"error from actor service: (500) {thrown.GetType().Name}");
        }

        return response.StatusCode == HttpStatusCode.OK ? response : Failed($"error from actor service: ({(int)response.StatusCode})");
    }

    private static HttpResponseMessage Failed(string message) =>
        Answer(HttpStatusCode.InternalServerError, JsonSerializer.Serialize(new { errorCode = "ERR_ACTOR_INVOKE_METHOD", message }));

    private HttpResponseMessage GetState(string key)
    {
        if (!_state.TryGetValue(key, out var found) || found.Expiry <= time.GetUtcNow())
            return Answer(HttpStatusCode.NoContent);
        var answer = Answer(HttpStatusCode.OK, found.Value);
        if (found.Expiry is { } expiry)
            answer.Headers.Add("Metadata.ttlExpireTime", expiry.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", null));
        return answer;
    }

    private HttpResponseMessage SaveState(string actor, byte[] body)
    {
        foreach (var operation in JsonNode.Parse(body)!.AsArray())
        {
            var request = operation!["request"]!;
            var key = $"{actor}/{request["key"]}";
            if ((string?)operation["operation"] == "delete")
                _state.TryRemove(key, out _);
            else
                _state[key] = (request["value"]?.ToJsonString() ?? "null", request["metadata"]?["ttlInSeconds"] is { } ttl ? time.GetUtcNow().AddSeconds(int.Parse((string)ttl!)) : null);
        }

        return Answer(HttpStatusCode.NoContent);
    }

    private HttpResponseMessage Keep(string path, byte[] body)
    {
        Ticks[path] = Encoding.UTF8.GetString(body);
        return Answer(HttpStatusCode.NoContent);
    }

    private HttpResponseMessage Remove(string path)
    {
        Ticks.TryRemove(path, out _);
        return Answer(HttpStatusCode.NoContent);
    }

    internal static HttpResponseMessage Answer(HttpStatusCode status, string body = "") => new(status) { Content = new StringContent(body) };
}
