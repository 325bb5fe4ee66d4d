using System.Text;
using Dapr.Actors;
using Dapr.Actors.Runtime;

namespace DaprPlatform.Benchmarks.Actors;

public interface IBenchActor : IActor
{
    Task<int> PingAsync(int number);
}

/// <summary>Counts its calls; says which reminders came.</summary>
internal sealed class BenchActor(ActorHost host, Fired fired) : Actor(host), IBenchActor, IRemindable
{
    private int _calls;

    public Task<int> PingAsync(int number) => Task.FromResult(number + ++_calls - _calls);

    public Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period)
    {
        fired.Add();
        return Task.CompletedTask;
    }
}

internal sealed class Fired
{
    private long _count;

    public long Count => Interlocked.Read(ref _count);

    public void Add() => Interlocked.Increment(ref _count);
}

/// <summary>The app that hosts the actors: written with the SDK, or as little as a server can be.</summary>
internal static class Workers
{
    public static async Task<WebApplication> StartAsync(string kind, int port, Fired fired)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Services.AddSingleton(fired);
        if (kind == "sdk")
            builder.Services.AddActors(options => options.Actors.RegisterActor<BenchActor>("BenchActor"));
        var app = builder.Build();
        if (kind == "sdk")
            app.MapActorsHandlers();
        else
            app.Run(context => AnswerAsync(context, fired));
        await app.StartAsync();
        return app;
    }

    private static Task AnswerAsync(HttpContext context, Fired fired)
    {
        var path = context.Request.Path.Value!;
        var body = path == "/dapr/config" ? "{\"entities\":[\"BenchActor\"]}"u8.ToArray() : "1"u8.ToArray();
        if (!path.StartsWith("/actors/", StringComparison.Ordinal) && path != "/dapr/config")
        {
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        }

        if (path.Contains("/method/remind/", StringComparison.Ordinal))
            fired.Add();
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body).AsTask();
    }
}
