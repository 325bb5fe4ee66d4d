using System.Collections.Concurrent;
using System.Net;
using System.Threading.Channels;
using Dapr.Client;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sdk.Tests;

internal sealed record GrpcRecord(string Method, IMessage Request, Metadata Headers);

internal sealed record HttpRecord(string Method, string Target, IReadOnlyDictionary<string, string> Headers, byte[] Body);

/// <summary>Stands in for a sidecar: notes what it is asked and answers as it is told.</summary>
internal sealed class RecordingSidecar : IAsyncDisposable
{
    readonly WebApplication _app;
    readonly ConcurrentDictionary<string, Func<IMessage, ServerCallContext, Task<IMessage>>> _answers = new();

    RecordingSidecar(WebApplication app) => _app = app;

    public ConcurrentQueue<GrpcRecord> Grpc { get; } = new();

    public ConcurrentQueue<HttpRecord> Http { get; } = new();

    public Func<HttpContext, Task> AnswerHttp { get; set; } = _ => Task.CompletedTask;

    public string HttpEndpoint { get; private set; } = "";

    public string GrpcEndpoint { get; private set; } = "";

    /// <summary>Messages that streaming methods got from the client.</summary>
    public Channel<IMessage> Received { get; } = Channel.CreateUnbounded<IMessage>();

    /// <summary>Messages that streaming methods are to send; completing it ends the stream.</summary>
    public Channel<IMessage> ToSend { get; } = Channel.CreateUnbounded<IMessage>();

    /// <summary>The next message that a streaming method got.</summary>
    public async Task<T> Next<T>() => (T)(await Received.Reader.ReadAsync(TestContext.Current.CancellationToken));

    public static async Task<RecordingSidecar> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton<RecordingDapr>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, o => o.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, o => o.Protocols = HttpProtocols.Http2);
        });
        RecordingSidecar? sidecar = null;
        builder.Services.AddSingleton(_ => sidecar!);
        var app = builder.Build();
        sidecar = new RecordingSidecar(app);
        app.MapGrpcService<RecordingDapr>();
        app.MapFallback(sidecar.Record);
        await app.StartAsync(TestContext.Current.CancellationToken);
        var urls = app.Urls.ToArray();
        sidecar.HttpEndpoint = urls[0];
        sidecar.GrpcEndpoint = urls[1];
        return sidecar;
    }

    public DaprClient Client(Action<DaprClientBuilder>? configure = null)
    {
        var builder = new DaprClientBuilder().UseHttpEndpoint(HttpEndpoint).UseGrpcEndpoint(GrpcEndpoint);
        configure?.Invoke(builder);
        return builder.Build();
    }

    public void Answer(string method, IMessage response) => _answers[method] = (_, _) => Task.FromResult(response);

    public void Answer(string method, Func<IMessage, ServerCallContext, Task<IMessage>> answer) => _answers[method] = answer;

    public void Refuse(string method, StatusCode code, string detail = "refused", Metadata? trailers = null) =>
        _answers[method] = (_, _) => throw new RpcException(new Status(code, detail), trailers ?? []);

    /// <summary>The one call that was made.</summary>
    public T Single<T>()
        where T : IMessage => (T)Assert.Single(Grpc).Request;

    internal async Task<T> Handle<T>(string method, IMessage request, ServerCallContext context)
        where T : IMessage, new()
    {
        Grpc.Enqueue(new GrpcRecord(method, request, context.RequestHeaders));
        return _answers.TryGetValue(method, out var answer) ? (T)await answer(request, context) : new T();
    }

    internal async Task Stream<TRequest, TResponse>(IAsyncStreamReader<TRequest>? requests, IServerStreamWriter<TResponse> responses, ServerCallContext context)
        where TRequest : class, IMessage
        where TResponse : class, IMessage
    {
        var reading = Task.Run(async () =>
        {
            try
            {
                while (requests is not null && await requests.MoveNext(context.CancellationToken))
                    Received.Writer.TryWrite(requests.Current);
                Received.Writer.TryWrite(new Empty());
            }
            catch (Exception)
            {
                // The client hung up.
            }
        });
        await foreach (var message in ToSend.Reader.ReadAllAsync(context.CancellationToken))
            await responses.WriteAsync((TResponse)message, context.CancellationToken);
        await reading;
    }

    async Task Record(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        Http.Enqueue(new HttpRecord(context.Request.Method, target, context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase), body.ToArray()));
        await AnswerHttp(context);
    }

    public async ValueTask DisposeAsync()
    {
        ToSend.Writer.TryComplete();
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }
}
