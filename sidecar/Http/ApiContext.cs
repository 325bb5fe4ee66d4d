using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace DaprPlatform.Sidecar.Http;

/// <summary>One request to the HTTP API: the matched route's values, the body within its limit, and the answers in Dapr's forms.</summary>
internal sealed class ApiContext(HttpContext http, Router.Route route, string[] values)
{
    public HttpContext Http { get; } = http;

    public Router.Route Route { get; } = route;

    public CancellationToken Cancelled => Http.RequestAborted;

    /// <summary>A value of the route's pattern, unescaped.</summary>
    public string this[string name] => values[Array.IndexOf(Route.Names, name)];

    public string? Query(string name) => Http.Request.Query.TryGetValue(name, out var value) ? value.ToString() : null;

    public string? Header(string name) => Http.Request.Headers.TryGetValue(name, out var value) ? value.ToString() : null;

    /// <summary>Component metadata of the request: <c>?metadata.key=value</c>.</summary>
    public Dictionary<string, string> Metadata()
    {
        var metadata = new Dictionary<string, string>();
        foreach (var (name, value) in Http.Request.Query)
        {
            if (name.StartsWith("metadata.", StringComparison.Ordinal))
                metadata[name["metadata.".Length..]] = value.ToString();
        }

        return metadata;
    }

    /// <summary>The whole body. Over the limit of --max-body-size: <see cref="BodyTooLargeException"/>; each API has its own answer to that.</summary>
    public async ValueTask<byte[]> BodyAsync()
    {
        var limit = Http.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize;
        var reader = Http.Request.BodyReader;
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(Cancelled).ConfigureAwait(false);
                if (limit is { } max && read.Buffer.Length > max)
                    throw new BodyTooLargeException();
                if (read.IsCompleted)
                {
                    var bytes = read.Buffer.ToArray();
                    reader.AdvanceTo(read.Buffer.End);
                    return bytes;
                }

                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            }
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            throw new BodyTooLargeException();
        }
    }

    public Task NoContent()
    {
        Http.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    public Task Bytes(ReadOnlyMemory<byte> body, string contentType = "application/json", int status = 200)
    {
        var response = Http.Response;
        response.StatusCode = status;
        response.ContentType = contentType;
        response.ContentLength = body.Length;
        return response.BodyWriter.WriteAsync(body, Cancelled).AsTask();
    }

    public Task JsonOf<T>(T value, int status = 200) => Bytes(JsonSerializer.SerializeToUtf8Bytes(value, Json.Options), status: status);

    public Task Error(ApiException error) => Bytes(error.ToJson(), status: error.HttpStatus);
}

/// <summary>The request's body is larger than --max-body-size.</summary>
internal sealed class BodyTooLargeException() : Exception("stream too large");
