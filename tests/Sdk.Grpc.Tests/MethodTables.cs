using System.Net;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class MethodTables
{
    [Fact]
    public void A_table_finds_methods_by_their_exact_path()
    {
        var table = GrpcMethodTable.Create(new EchoService());

        Assert.True(table.TryGet("/sdk.tests.Echo/Say", out var handler));
        Assert.NotNull(handler);
        Assert.False(table.TryGet("/sdk.tests.echo/say", out _));
        Assert.False(table.TryGet("sdk.tests.Echo/Say", out _));
        Assert.False(table.TryGet("/sdk.tests.Echo/Say/", out _));
        Assert.Equal(5, table.Paths.Count);
        Assert.True(table.ContainsService("sdk.tests.Echo"));
        Assert.False(table.ContainsService("sdk.tests.Absent"));
    }

    [Fact]
    public void Tables_combine_unless_a_method_is_in_both()
    {
        var echo = GrpcMethodTable.Create(new EchoService());

        Assert.Equal(6, GrpcMethodTable.Combine(echo, GrpcMethodTable.Create(new AbsentService())).Paths.Count);
        Assert.Throws<ArgumentException>(() => GrpcMethodTable.Combine(echo, echo));
    }

    [Fact]
    public void A_type_that_is_no_service_is_refused()
    {
        Assert.Throws<InvalidOperationException>(() => GrpcMethodTable.Create(new object()));
    }

    [Fact]
    public async Task A_table_of_one_object_serves_without_routing()
    {
        var echo = new EchoService();
        var table = GrpcMethodTable.Create(echo);
        await using var server = await TestServer.StartAsync(map: app => app.Run(http => Dispatch(table, http)));

        Assert.Equal("hi", (await server.Client.SayAsync(new Ping { Text = "hi" })).Text);
        Assert.Equal((StatusCode.Unimplemented, "unknown service sdk.tests.Absent"), await StatusOfCalls.FailureOf(new Absent.AbsentClient(server.Channel()).SayAsync(new Ping())));
    }

    [Fact]
    public async Task A_table_with_a_factory_asks_it_with_each_call()
    {
        var made = new List<string>();
        var table = GrpcMethodTable.Create(http =>
        {
            made.Add(http.Request.Path);
            return new EchoService();
        });
        await using var server = await TestServer.StartAsync(map: app => app.Run(http => Dispatch(table, http)));
        var client = server.Client;

        await client.SayAsync(new Ping());
        using (var collect = client.Collect())
        {
            await collect.RequestStream.CompleteAsync();
            await collect;
        }

        using (var repeat = client.Repeat(new Ping { Count = 2 }))
            Assert.Equal(2, (await repeat.ResponseStream.ReadAllAsync().ToListAsync()).Count);
        using (var chat = client.Chat())
        {
            await chat.RequestStream.CompleteAsync();
            Assert.False(await chat.ResponseStream.MoveNext());
        }

        Assert.Equal(["/sdk.tests.Echo/Say", "/sdk.tests.Echo/Collect", "/sdk.tests.Echo/Repeat", "/sdk.tests.Echo/Chat"], made);
    }

    [Fact]
    public async Task A_table_serves_a_bare_server_without_any_services()
    {
        var options = new GrpcServiceOptions();
        options.Interceptors.Add<Marking>("bare");
        var table = GrpcMethodTable.Create(new EchoService(), options);
        var kestrelOptions = new KestrelServerOptions();
        kestrelOptions.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        using var server = new KestrelServer(Options.Create(kestrelOptions), new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance), NullLoggerFactory.Instance);
        await server.StartAsync(new BareApplication(table), TestContext.Current.CancellationToken);
        using var channel = global::Grpc.Net.Client.GrpcChannel.ForAddress(server.Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        using var call = new Echo.EchoClient(channel).SayAsync(new Ping { Text = "hi" });

        Assert.Equal("hi", (await call).Text);
        Assert.Equal("bare", call.GetTrailers().GetValue("x-mark"));
        channel.Dispose();
        await server.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_status_may_follow_what_a_proxy_has_passed_on()
    {
        await using var server = await TestServer.StartAsync(map: app => app.Run(async http =>
        {
            http.Response.ContentType = "application/grpc";
            await http.Response.Body.WriteAsync(RawCall.Frame(new Pong { Text = "first" }));
            await http.Response.Body.FlushAsync();
            await GrpcProtocol.WriteStatus(http, new Status(StatusCode.Unavailable, "lost ä"), new Metadata { { "x-detail-bin", [1, 2] } });
        }));
        using var call = server.Client.Repeat(new Ping());

        Assert.True(await call.ResponseStream.MoveNext());
        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal((StatusCode.Unavailable, "lost ä"), (failure.StatusCode, failure.Status.Detail));
        Assert.Equal([1, 2], failure.Trailers.GetValueBytes("x-detail-bin"));
    }

    [Fact]
    public void A_proxy_reads_and_writes_the_headers_of_the_protocol()
    {
        var http = new DefaultHttpContext();
        http.Request.ContentType = "application/grpc+proto";
        http.Request.Headers.GrpcTimeout = "250m";

        Assert.True(GrpcProtocol.IsGrpcRequest(http.Request));
        Assert.True(GrpcProtocol.TryGetTimeout(http.Request, out var timeout));
        Assert.Equal(TimeSpan.FromMilliseconds(250), timeout);
        Assert.Equal("250000u", GrpcProtocol.FormatTimeout(timeout!.Value));
        Assert.Equal("%C3%A4", GrpcProtocol.EncodeMessage("ä"));
        Assert.Equal("ä", GrpcProtocol.DecodeMessage("%C3%A4"));

        http.Request.Headers.GrpcTimeout = "soon";
        Assert.False(GrpcProtocol.TryGetTimeout(http.Request, out _));
        http.Request.Headers.Remove("grpc-timeout");
        Assert.True(GrpcProtocol.TryGetTimeout(http.Request, out timeout));
        Assert.Null(timeout);
    }

    static Task Dispatch(GrpcMethodTable table, HttpContext http) => table.TryGet(http.Request.Path.Value!, out var handler)
        ? handler(http)
        : GrpcProtocol.WriteStatus(http, new Status(StatusCode.Unimplemented, $"unknown service {http.Request.Path.Value!.Split('/')[1]}"));

    sealed class AbsentService : Absent.AbsentBase;

    sealed class Marking(string mark) : global::Grpc.Core.Interceptors.Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            context.ResponseTrailers.Add("x-mark", mark);
            return continuation(request, context);
        }
    }

    sealed class BareApplication(GrpcMethodTable table) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => Dispatch(table, context);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }
    }
}
