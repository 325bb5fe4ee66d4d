using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Text.Json;
using Dapr.Actors.Client;
using Dapr.Common;

namespace Dapr.Actors.Communication;

/// <summary>The sidecar's actor API over HTTP.</summary>
internal sealed class SidecarActors
{
    private static readonly MediaTypeHeaderValue Json = new("application/json", "utf-8");
    private static readonly MediaTypeHeaderValue Remoting = new("application/octet-stream", "utf-8");
    private static readonly MediaTypeHeaderValue Text = new("text/plain", "utf-8");

    private readonly HttpClient _http;
    private readonly string _endpoint;
    private readonly string? _apiToken;
    private readonly TimeSpan? _timeout;

    public SidecarActors(HttpMessageHandler handler, string endpoint, string? apiToken, TimeSpan? timeout)
    {
        (_endpoint, _apiToken, _timeout) = (endpoint, apiToken, timeout);
        Endpoints.Parse(endpoint, "HTTP");
        _http = new HttpClient(handler, disposeHandler: false) { BaseAddress = new Uri(endpoint.TrimEnd('/') + "/v1.0/actors/") };
        if (timeout is { } given)
            _http.Timeout = given;
        DaprHeaders.Set(_http.DefaultRequestHeaders, apiToken);
    }

    public bool Fits(ActorProxyOptions options) => options.HttpEndpoint == _endpoint && options.DaprApiToken == _apiToken && options.RequestTimeout == _timeout;

    public async Task<byte[]> InvokeAsync(string actorType, ActorId actorId, string method, byte[]? body, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(method);
        using var request = Request(HttpMethod.Put, actorType, actorId, "method", method, body, Json);
        using var response = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        return await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task<byte[]> InvokeRemoteAsync(string actorType, ActorId actorId, RemoteMethod method, byte[]? body, CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Put, actorType, actorId, "method", method.Name, body ?? [], Remoting);
        request.Headers.TryAddWithoutValidation(RemoteHeaders.Request, RemoteHeaders.WriteRequest(method, actorId, actorType));
        using var response = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        var answer = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        if (response.Headers.TryGetValues(RemoteHeaders.Error, out var error))
            throw RemoteException.Read(error.First(), answer);
        return answer;
    }

    /// <summary>The value, or null if there is none; when it expires, if it does.</summary>
    public async Task<(byte[]? Value, DateTimeOffset? Expiry)> GetStateAsync(string actorType, ActorId actorId, string key, CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Get, actorType, actorId, "state", key, null, null);
        using var response = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        var value = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        if (value.Length == 0)
            return (null, null);
        DateTimeOffset? expiry = response.Headers.TryGetValues("Metadata.ttlExpireTime", out var times)
            && DateTimeOffset.TryParse(times.First(), System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.AssumeUniversal, out var time)
                ? time
                : null;
        return (value, expiry);
    }

    public Task SaveStateAsync(string actorType, ActorId actorId, byte[] operations, CancellationToken cancellationToken) =>
        DoAsync(Request(HttpMethod.Put, actorType, actorId, "state", null, operations, Text), cancellationToken);

    public Task PutAsync(string kind, string actorType, ActorId actorId, string name, byte[] body, CancellationToken cancellationToken) =>
        DoAsync(Request(HttpMethod.Put, actorType, actorId, kind, name, body, Json), cancellationToken);

    public Task DeleteAsync(string kind, string actorType, ActorId actorId, string name, CancellationToken cancellationToken) =>
        DoAsync(Request(HttpMethod.Delete, actorType, actorId, kind, name, null, null), cancellationToken);

    /// <summary>Null if there is no such reminder.</summary>
    public async Task<byte[]?> GetReminderAsync(string actorType, ActorId actorId, string name, CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Get, actorType, actorId, "reminders", name, null, null);
        using var response = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        // Sidecars before 1.18 answer 500 for one that is missing.
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.InternalServerError)
            return null;
        await ThrowIfFailedAsync(response, cancellationToken).ConfigureAwait(false);
        return await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
    }

    private static HttpRequestMessage Request(
        HttpMethod verb,
        string actorType,
        ActorId actorId,
        string kind,
        string? name,
        byte[]? body,
        MediaTypeHeaderValue? contentType)
    {
        var path = $"{Uri.EscapeDataString(actorType)}/{Uri.EscapeDataString(actorId.GetId())}/{kind}";
        var request = new HttpRequestMessage(verb, new Uri(name is null ? path : $"{path}/{Uri.EscapeDataString(name)}", UriKind.Relative));
        if (body is not null)
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = contentType } };
        if (Reentrancy.Current is { } id)
            request.Headers.TryAddWithoutValidation(Reentrancy.Header, id);
        return request;
    }

    private async Task DoAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using (request)
        {
            using var response = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        try
        {
            await ThrowIfFailedAsync(response, cancellationToken).ConfigureAwait(false);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private static async Task ThrowIfFailedAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.IsSuccessStatusCode)
            return;
        if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
            throw new AuthenticationException($"The sidecar refused the request with status {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false)}");
        string? code = null;
        var message = $"The sidecar answered with status {(int)response.StatusCode}.";
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            using var error = JsonDocument.Parse(body);
            if (error.RootElement.ValueKind == JsonValueKind.Object)
            {
                code = error.RootElement.TryGetProperty("errorCode", out var given) ? given.GetString() : null;
                message = error.RootElement.TryGetProperty("message", out var said) && said.GetString() is { } text ? text : message;
            }
        }
        catch (JsonException)
        {
            // Not the sidecar's form: an app's own answer, or nothing.
        }

        var isTransient = response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;
        throw new DaprApiException(message, code, isTransient);
    }
}
