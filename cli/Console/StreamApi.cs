using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>One stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) for a page.</summary>
internal static class StreamApi
{
    private const int MostReaders = 200;
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    public static void Map(IEndpointRouteBuilder api) =>
        api.MapGet("/stream", RunAsync).RequireRole(ConsoleRole.Viewer).WithName("stream").WithTags("Stream").Produces(200, contentType: "text/event-stream")
            .WithSummary("What changes, as server-sent events: one event a topic; reset says that lists must be fetched anew.");

    private static async Task RunAsync(HttpContext context, ConsoleDoor door, IHostApplicationLifetime life, string? topics, string? lastEventId)
    {
        var system = context.Console();
        HashSet<string> wanted = [.. (topics ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
        if (wanted.Count == 0)
            throw ConsoleProblem.BadRequest($"topics names some of {string.Join(", ", StreamTopics.All)}.");
        if (wanted.FirstOrDefault(t => !StreamTopics.All.Contains(t)) is { } unknown)
            throw ConsoleProblem.BadRequest($"There is no topic {unknown}; there are {string.Join(", ", StreamTopics.All)}.");
        if (system.Hub.Readers >= MostReaders)
            throw ConsoleProblem.Unavailable($"{MostReaders} pages are open.");
        var filter = new StreamFilter(context.Request.Query.ToDictionary(q => q.Key, q => (IReadOnlyList<string>)[.. q.Value.OfType<string>()], StringComparer.Ordinal));
        // A filter that is none is said at once, not while it streams.
        if (wanted.Contains(StreamTopics.Logs))
            filter.As(Logs.LogFilter.Parse);
        var last = context.Request.Headers["Last-Event-ID"] is [{ Length: > 0 } header, ..] ? header : lastEventId;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, life.ApplicationStopping);
        using var reader = system.Hub.Subscribe(wanted, filter, last);
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        try
        {
            // Who has seen the beginning of the answer misses nothing that happens afterwards.
            await system.Hub.ReadyAsync(wanted, ending.Token);
            await context.Response.Body.WriteAsync("retry: 1000\n\n"u8.ToArray(), ending.Token);
            await context.Response.Body.FlushAsync(ending.Token);
            await WriteAsync(context, system, reader, door, ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            return;
        }
    }

    private static async Task WriteAsync(HttpContext context, ConsoleSystem system, PageReader reader, ConsoleDoor door, CancellationToken cancel)
    {
        var body = context.Response.Body;
        var more = reader.WaitAsync(cancel).AsTask();
        while (true)
        {
            try
            {
                if (!await more.WaitAsync(Heartbeat, system.Time, cancel))
                    return;
            }
            catch (TimeoutException)
            {
                // Who has signed out, or is no longer known, sees nothing more.
                if (!door.Local && system.SignInRequired(door) && system.Sessions.Find(context.Request.Cookies[Sessions.Cookie]) is null)
                    return;
                await body.WriteAsync(": \n\n"u8.ToArray(), cancel);
                await body.FlushAsync(cancel);
                continue;
            }

            var (reset, messages) = reader.Take();
            if (reset)
                await WriteAsync("reset", messages is [var first, ..] ? first.Number - 1 : system.Hub.LastNumber, "{}"u8.ToArray());
            foreach (var message in messages)
            {
                if (message.BytesFor(reader.Filter) is { } data)
                    await WriteAsync(message.Topic, message.Number, data);
            }

            await body.FlushAsync(cancel);
            more = reader.WaitAsync(cancel).AsTask();
        }

        async Task WriteAsync(string topic, long number, byte[] data)
        {
            await body.WriteAsync(System.Text.Encoding.UTF8.GetBytes($"event: {topic}\nid: {system.Hub.IdOf(number)}\ndata: "), cancel);
            await body.WriteAsync(data, cancel);
            await body.WriteAsync("\n\n"u8.ToArray(), cancel);
        }
    }
}
