using System.Net;
using System.Net.Sockets;
using Grpc.AspNetCore.Server;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

/// <summary>Kestrel with the echo service on a port of its own, and a channel to it.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    readonly WebApplication _app;
    readonly List<GrpcChannel> _channels = [];

    TestServer(WebApplication app, EchoService echo, Uri address)
    {
        _app = app;
        Echo = echo;
        Address = address;
    }

    public EchoService Echo { get; }

    public Uri Address { get; }

    public Echo.EchoClient Client => new(Channel());

    public static async Task<TestServer> StartAsync(
        Action<GrpcServiceOptions>? grpc = null,
        Action<ListenOptions>? listen = null,
        Action<WebApplicationBuilder>? build = null,
        Action<WebApplication>? map = null,
        string? socket = null,
        int port = 0)
    {
        var echo = new EchoService();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc(options => grpc?.Invoke(options));
        builder.Services.AddSingleton(echo);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            void Listen(ListenOptions options)
            {
                options.Protocols = HttpProtocols.Http2;
                listen?.Invoke(options);
            }

            if (socket is null)
                kestrel.Listen(IPAddress.Loopback, port, Listen);
            else
                kestrel.ListenUnixSocket(socket, Listen);
        });
        build?.Invoke(builder);
        var app = builder.Build();
        if (map is null)
            app.MapGrpcService<EchoService>();
        else
            map(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new TestServer(app, echo, socket is null ? new Uri(app.Urls.Single()) : new Uri("http://localhost"));
    }

    public GrpcChannel Channel(Action<GrpcChannelOptions>? configure = null)
    {
        var options = new GrpcChannelOptions();
        configure?.Invoke(options);
        var channel = GrpcChannel.ForAddress(Address, options);
        _channels.Add(channel);
        return channel;
    }

    public Task StopAsync() => _app.StopAsync();

    /// <summary>Stops without waiting for calls.</summary>
    public async Task KillAsync()
    {
        try
        {
            await _app.StopAsync(new CancellationToken(canceled: true));
        }
        catch (OperationCanceledException)
        {
            // That it did not end in time is the point.
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var channel in _channels)
            channel.Dispose();
        await KillAsync();
        await _app.DisposeAsync();
    }
}
