using System.Diagnostics;
using Grpc.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace DaprPlatform.Benchmarks.BuildingBlocks;

/// <summary>Deliveries counted by the app.</summary>
internal sealed class Deliveries
{
    private long _count;
    private long _last;

    public long Count => Interlocked.Read(ref _count);

    /// <summary>When the last one came, as a timestamp of <see cref="Stopwatch"/>.</summary>
    public long Last => Interlocked.Read(ref _last);

    public void Add()
    {
        Interlocked.Exchange(ref _last, Stopwatch.GetTimestamp());
        Interlocked.Increment(ref _count);
    }
}

/// <summary>The app behind the sidecar, in the process of the load: over HTTP it answers and takes events, over gRPC it answers.</summary>
internal static class BenchApp
{
    public const string Topic = "bench";

    public static async Task<WebApplication> StartAsync(int httpPort, int grpcPort, Deliveries deliveries)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddGrpc();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.ListenLocalhost(httpPort);
            kestrel.ListenLocalhost(grpcPort, listen => listen.Protocols = HttpProtocols.Http2);
        });
        var app = builder.Build();
        app.MapGet("/dapr/subscribe", () => new[] { new { pubsubname = "pubsub", topic = Topic, route = "/events" } });
        app.MapPost("/events", async (HttpContext context) =>
        {
            await context.Request.BodyReader.CopyToAsync(Stream.Null);
            deliveries.Add();
        });
        app.MapPost("/ping", async (HttpContext context) =>
        {
            var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            context.Response.ContentLength = body.Length;
            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync(body.GetBuffer().AsMemory(0, (int)body.Length));
        });
        app.MapGrpcService<EchoService>();
        await app.StartAsync();
        return app;
    }
}

internal sealed class EchoService : Echo.EchoBase
{
    public override Task<PingMessage> Ping(PingMessage request, ServerCallContext context) => Task.FromResult(request);
}
