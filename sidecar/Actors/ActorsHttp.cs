using System.Buffers;
using System.Text.Json;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Invocation;
using DaprPlatform.Sidecar.State;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>The HTTP face.</summary>
internal sealed partial class ActorsApi
{
    public void MapHttp(Router router)
    {
        const string Actor = "actors/{type}/{id}/";
        router.Map("actors", "v1.0", "GET,POST,PUT,DELETE", Actor + "method/{method}", InvokeAsync);
        router.Map("actors", "v1.0", "POST,PUT", Actor + "state", TransactAsync);
        router.Map("actors", "v1.0", "GET", Actor + "state/{key}", GetStateAsync);
        router.Map("actors", "v1.0", "POST,PUT", Actor + "timers/{name}", StartTimerAsync);
        router.Map("actors", "v1.0", "DELETE", Actor + "timers/{name}", context =>
        {
            StopTimer(context["type"], context["id"], context["name"]);
            return context.NoContent();
        });
        router.Map("actors", "v1.0", "POST,PUT", Actor + "reminders/{name}", CreateReminderAsync);
        router.Map("actors", "v1.0", "GET", Actor + "reminders/{name}", GetReminderAsync);
        router.Map("actors", "v1.0", "DELETE", Actor + "reminders/{name}", async context =>
        {
            CheckReminder(context["type"], context["id"], context["name"]);
            await Reminders.DeleteAsync(context["type"], context["id"], context["name"], context.Cancelled).ConfigureAwait(false);
            await context.NoContent().ConfigureAwait(false);
        });
    }

    private async Task InvokeAsync(ApiContext context)
    {
        var (type, id) = (context["type"], context["id"]);
        Check(type, id);
        var method = ActorName.Method(context["method"], out var refusal);
        if (refusal is not null)
            throw ActorErrors.BadRequest(refusal);
        var http = context.Http;
        var incoming = http.Request.Headers;
        var headers = new List<KeyValuePair<string, StringValues>>(incoming.Count);
        var connection = ClientConnection.NamesOf(http);
        foreach (var header in incoming)
        {
            if (header.Key[0] != ':' && !IsOwn(header.Key) && (connection.Count == 0 || !HopByHop.ListedIn(connection, header.Key)))
                headers.Add(header);
        }

        var trace = http.Features.Get<ApiCall>()?.Span is { } span
            ? TraceHeaders.Of(span)
            : new TraceHeaders(incoming.TraceParent.ToString(), incoming.TraceState.ToString(), incoming.Baggage.ToString());
        var call = new ActorCall(type, id, method, HttpApi.RawQuery(http), headers, await context.BodyAsync().ConfigureAwait(false)) { Caller = _runtime.Self, Trace = trace };
        var answer = await _router.InvokeAsync(call, context.Cancelled).ConfigureAwait(false);
        var response = http.Response;
        response.StatusCode = StatusCodes.Status200OK;
        foreach (var (name, value) in answer.Headers)
        {
            if (HopByHop.Contains(name) || name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                continue;
            if (name.Length is 7 or 10 or 11 && IsTrace(name))
                response.Headers[name] = value;
            else
                response.Headers.Append(name, value);
        }

        response.ContentType ??= "application/json";
        response.ContentLength = answer.Body.Length;
        await response.BodyWriter.WriteAsync(answer.Body, context.Cancelled).ConfigureAwait(false);
    }

    private async Task GetStateAsync(ApiContext context)
    {
        var (type, id, key) = (context["type"], context["id"], context["key"]);
        Check(type, id);
        var item = await State.GetAsync(type, id, key, context.Cancelled).ConfigureAwait(false);
        if (item is null || item.Value.IsEmpty)
        {
            await context.NoContent().ConfigureAwait(false);
            return;
        }

        if (item.ExpiresAt is { } expiry)
            context.Http.Response.Headers["metadata.ttlExpireTime"] = StateApi.ExpireTime(expiry);
        await context.Bytes(item.Value).ConfigureAwait(false);
    }

    private async Task TransactAsync(ApiContext context)
    {
        var (type, id) = (context["type"], context["id"]);
        Check(type, id);
        var raw = await ReadAsync(context, body => ActorJson.ReadOperations(body, State.EscapesHtml)).ConfigureAwait(false);
        CheckActive(type, id);
        var operations = new ActorOperation[raw.Count];
        for (var i = 0; i < operations.Length; i++)
        {
            if (raw[i].Operation is not ("upsert" or "delete"))
                throw ActorErrors.StateSave(raw[i].Operation.Length == 0 ? "operation is empty" : $"operation type {raw[i].Operation} not supported");
            if (raw[i].Request is not { } request)
                throw ActorErrors.StateSave("request data is empty");
            if (request.Errors.Count > 0)
                throw ActorErrors.StateSave($"{request.Errors.Count} error(s) decoding:\n\n{string.Join('\n', request.Errors.Select(e => "* " + e))}");
            operations[i] = new ActorOperation(raw[i].Operation, request.Key, request.Value, request.ETag, request.Metadata, IsBinary: false);
        }

        await State.TransactAsync(type, id, operations, context.Cancelled).ConfigureAwait(false);
        await context.NoContent().ConfigureAwait(false);
    }

    private async Task StartTimerAsync(ApiContext context)
    {
        var (type, id) = (context["type"], context["id"]);
        Check(type, id);
        var request = await ReadAsync(context, static body => ActorJson.ReadRegistration(body, "createTimerAlias")).ConfigureAwait(false);
        StartTimer(type, id, new ActorTick(context["name"], request.DueTime, request.Period, request.Callback, request.Data), request.Ttl);
        await context.NoContent().ConfigureAwait(false);
    }

    private async Task CreateReminderAsync(ApiContext context)
    {
        var (type, id, name) = (context["type"], context["id"], context["name"]);
        Check(type, id);
        var request = await ReadAsync(context, static body => ActorJson.ReadRegistration(body, "createReminderAlias")).ConfigureAwait(false);
        CheckReminder(type, id, name);
        await Reminders.CreateAsync(type, id, new ReminderRequest(name, request.DueTime, request.Period, request.Ttl, request.Data, request.Overwrite, null), context.Cancelled).ConfigureAwait(false);
        await context.NoContent().ConfigureAwait(false);
    }

    private async Task GetReminderAsync(ApiContext context)
    {
        var (type, id, name) = (context["type"], context["id"], context["name"]);
        CheckReminder(type, id, name);
        var reminder = await Reminders.GetAsync(type, id, name, context.Cancelled).ConfigureAwait(false);
        var body = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(body, StateJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("actorID", id);
            json.WriteString("actorType", type);
            if (reminder.Data is { } data)
            {
                json.WritePropertyName("data");
                json.WriteRawValue(data.Span, skipInputValidation: true);
            }

            if (reminder.Period is not null)
                json.WriteString("period", reminder.Period);
            if (reminder.DueTime is not null)
                json.WriteString("dueTime", reminder.DueTime);
            if (reminder.Ttl is not null)
                json.WriteString("ttl", reminder.Ttl);
            json.WriteEndObject();
        }

        await context.Bytes(body.WrittenMemory).ConfigureAwait(false);
    }

    private static async ValueTask<T> ReadAsync<T>(ApiContext context, Func<byte[], T> read)
    {
        try
        {
            return read(await context.BodyAsync().ConfigureAwait(false));
        }
        catch (Exception e) when (e is JsonException or BodyTooLargeException)
        {
            throw ActorErrors.Malformed(e.Message);
        }
    }

    private static bool IsTrace(string name) =>
        name.Equals("traceparent", StringComparison.OrdinalIgnoreCase) || name.Equals("tracestate", StringComparison.OrdinalIgnoreCase) || name.Equals("baggage", StringComparison.OrdinalIgnoreCase);

    // What is not the caller's to say, or is said anew.
    private static bool IsOwn(string name) => HopByHop.Contains(name) || name.Length switch
    {
        4 => name.Equals("Host", StringComparison.OrdinalIgnoreCase),
        6 => name.Equals("Expect", StringComparison.OrdinalIgnoreCase),
        7 or 10 or 11 => IsTrace(name),
        13 => name.Equals("Dapr-Api-Call", StringComparison.OrdinalIgnoreCase),
        14 => name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };
}
