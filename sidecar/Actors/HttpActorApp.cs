using System.Buffers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Apps;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Invocation;
using DaprPlatform.Sidecar.State;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>An app whose actors have endpoints (https://docs.dapr.io/reference/api/actors_api/#dapr-calling-to-user-service-code).</summary>
internal sealed class HttpActorApp(AppChannel app) : IActorApp
{
    private const string CancelHeader = "X-Daprremindercancel";
    private static readonly KeyValuePair<string, StringValues> ApiCall = KeyValuePair.Create("Dapr-Api-Call", new StringValues("true"));

    public async ValueTask<ActorAnswer> InvokeAsync(ActorCall call, string? reentrancyId, CancellationToken cancellationToken)
    {
        var headers = new List<KeyValuePair<string, StringValues>>(call.Headers.Count + 8);
        foreach (var header in call.Headers)
        {
            if (reentrancyId is null || !header.Key.Equals(ActorCall.ReentrancyHeader, StringComparison.OrdinalIgnoreCase))
                headers.Add(header);
        }

        headers.Add(ApiCall);
        headers.Add(KeyValuePair.Create("dapr-caller-app-id", new StringValues(call.Caller.AppId)));
        headers.Add(KeyValuePair.Create("dapr-caller-namespace", new StringValues(call.Caller.Namespace)));
        if (reentrancyId is not null)
            headers.Add(KeyValuePair.Create(ActorCall.ReentrancyHeader, new StringValues(reentrancyId)));
        call.Trace.AddTo(headers);

        var path = $"actors/{call.Type}/{call.Id}/method/{call.Method}";
        var answer = await SendAsync("PUT", path, call.Query, headers, call.Body, cancellationToken).ConfigureAwait(false);
        if (string.Equals(answer.Header(CancelHeader), "true", StringComparison.OrdinalIgnoreCase))
            throw new ActorCallException("reminder has been canceled");
        return answer;
    }

    public ValueTask RemindAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken) =>
        TickAsync($"actors/{type}/{id}/method/remind/{tick.Name}", tick, withCallback: false, cancellationToken);

    public ValueTask TimerAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken) =>
        TickAsync($"actors/{type}/{id}/method/timer/{tick.Name}", tick, withCallback: true, cancellationToken);

    public async ValueTask DeactivateAsync(string type, string id, CancellationToken cancellationToken) =>
        await SendAsync("DELETE", $"actors/{type}/{id}", "", [KeyValuePair.Create("Content-Type", new StringValues("application/x-protobuf"))], default, cancellationToken).ConfigureAwait(false);

    private async ValueTask TickAsync(string path, ActorTick tick, bool withCallback, CancellationToken cancellationToken)
    {
        var body = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(body, StateJson.WriterOptions))
        {
            json.WriteStartObject();
            if (withCallback)
                json.WriteString("callback", tick.Callback);
            if (tick.Data is { } data)
            {
                json.WritePropertyName("data");
                json.WriteRawValue(data.Span, skipInputValidation: true);
            }

            json.WriteString("dueTime", tick.DueTime);
            json.WriteString("period", tick.Period);
            json.WriteEndObject();
        }

        await SendAsync("PUT", path, "", [KeyValuePair.Create("Content-Type", new StringValues("application/json"))], body.WrittenMemory, cancellationToken).ConfigureAwait(false);
    }

    // Any status but 200 is a failure. An unhealthy app is told of deactivations all the same: the actor may be active elsewhere soon.
    private async ValueTask<ActorAnswer> SendAsync(string verb, string path, string query, List<KeyValuePair<string, StringValues>> headers, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        if (!app.IsHealthy && verb != "DELETE")
            throw new ActorCallException("app is not in a healthy state");
        try
        {
            await using var response = await app.CallAsync(new UpstreamRequest(verb, MethodPath.Encode(path, query), headers, RequestBody.Of(body)), cancellationToken).ConfigureAwait(false);
            var bytes = await response.ReadAllAsync(long.MaxValue, cancellationToken).ConfigureAwait(false);
            return response.Status switch
            {
                200 => new ActorAnswer(response.Headers, bytes),
                404 => throw new ActorCallException($"actor method not found: {path}", 404, permanent: true),
                var status => throw new ActorCallException($"error from actor service: ({status.ToString(System.Globalization.CultureInfo.InvariantCulture)}) {Encoding.UTF8.GetString(bytes)}", status),
            };
        }
        catch (Exception e) when (e is UpstreamException or IOException or SocketException or ObjectDisposedException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new ActorCallException(e.Message, inner: e);
        }
    }
}
