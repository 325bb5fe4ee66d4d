using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>An app in this process that notes how it is called; what it has no answer for is 404.</summary>
internal sealed class StandInApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private StandInApp(WebApplication app, int port) => (_app, Port) = (app, port);

    public int Port { get; }

    /// <summary>Verb and path of each call, in order.</summary>
    public ConcurrentQueue<string> Calls { get; } = new();

    public ConcurrentDictionary<string, RequestDelegate> Answers { get; } = new();

    public static async Task<StandInApp> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var port = DaprSidecar.FreePort();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        var app = builder.Build();
        var standIn = new StandInApp(app, port);
        app.Run(context =>
        {
            standIn.Calls.Enqueue($"{context.Request.Method} {context.Request.Path}");
            if (standIn.Answers.TryGetValue(context.Request.Path, out var answer))
                return answer(context);
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
        await app.StartAsync();
        return standIn;
    }

    public StandInApp On(string path, string json = "{}")
    {
        Answers[path] = context =>
        {
            context.Response.ContentType = "application/json";
            return context.Response.WriteAsync(json);
        };
        return this;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
