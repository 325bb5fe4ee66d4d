using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class Transports
{
    [Fact]
    public async Task Tls_with_a_certificate_the_client_trusts()
    {
        using var certificate = SelfSigned("localhost");
        await using var server = await TestServer.StartAsync(listen: options => options.UseHttps(certificate));
        using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, presented, _, _) => presented?.GetCertHashString() == certificate.GetCertHashString() } };
        var trusting = new Echo.EchoClient(server.Channel(options =>
        {
            options.HttpHandler = handler;
            options.Credentials = ChannelCredentials.Create(ChannelCredentials.SecureSsl, CallCredentials.FromInterceptor((_, metadata) =>
            {
                metadata.Add("authorization", "Bearer t");
                return Task.CompletedTask;
            }));
        }));
        server.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = $"{context.GetHttpContext().Request.Scheme} {context.RequestHeaders.GetValue("authorization")}" });

        Assert.Equal("https", server.Address.Scheme);
        Assert.Equal("https Bearer t", (await trusting.SayAsync(new Ping())).Text);
        Assert.Equal(StatusCode.Unavailable, (await StatusOfCalls.FailureOf(server.Client.SayAsync(new Ping()))).Item1);
    }

    [Fact]
    public async Task A_client_certificate_identifies_the_peer()
    {
        using var certificate = SelfSigned("localhost");
        using var own = SelfSigned("orders");
        await using var server = await TestServer.StartAsync(listen: options => options.UseHttps(https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
            https.ClientCertificateValidation = (_, _, _) => true;
        }));
        server.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = $"{context.AuthContext.IsPeerAuthenticated} {context.AuthContext.FindPropertiesByName("x509_common_name").Single().Value}" });
        using var handler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, _, _, _) => true, ClientCertificates = [own] },
        };

        Assert.Equal("True orders", (await new Echo.EchoClient(server.Channel(options => options.HttpHandler = handler)).SayAsync(new Ping())).Text);
    }

    [Fact]
    public async Task A_unix_socket_carries_calls()
    {
        var path = Path.Combine(Path.GetTempPath(), $"grpc-{Guid.NewGuid():N}.sock");
        await using var server = await TestServer.StartAsync(socket: path);
        server.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = context.Peer });
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        var client = new Echo.EchoClient(server.Channel(options => options.HttpHandler = handler));

        Assert.Equal("unix:" + path, (await client.SayAsync(new Ping())).Text);
        using var chat = client.Chat();
        await chat.RequestStream.WriteAsync(new Ping { Text = "over it" });
        Assert.True(await chat.ResponseStream.MoveNext());
        Assert.Equal("over it", chat.ResponseStream.Current.Text);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_unavailable()
    {
        using var channel = GrpcChannel.ForAddress(Closed());
        var client = new Echo.EchoClient(channel);

        var (code, detail) = await StatusOfCalls.FailureOf(client.SayAsync(new Ping()));
        Assert.Equal(StatusCode.Unavailable, code);
        Assert.StartsWith("Error starting gRPC call. HttpRequestException: Connection refused", detail);

        using var chat = client.Chat();
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => chat.RequestStream.WriteAsync(new Ping()))).StatusCode);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => chat.ResponseStream.MoveNext())).StatusCode);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => chat.ResponseHeadersAsync)).StatusCode);
    }

    [Fact]
    public async Task A_call_may_wait_for_its_server()
    {
        var clock = new ManualTime();
        var refused = new TaskCompletionSource();
        await using var server = await TestServer.StartAsync();
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                if (!refused.Task.IsCompleted)
                {
                    refused.SetResult();
                    throw new SocketException((int)SocketError.ConnectionRefused);
                }

                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(IPAddress.Loopback, server.Address.Port, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        var client = new Echo.EchoClient(server.Channel(options =>
        {
            options.HttpHandler = handler;
            options.TimeProvider = clock;
        }));
        using var call = client.SayAsync(new Ping { Text = "waited" }, new CallOptions().WithWaitForReady());
        await refused.Task;
        Assert.False(call.ResponseAsync.IsCompleted);

        // The back-off may not have begun when the refusal is seen here.
        while (!call.ResponseAsync.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.Equal("waited", (await call).Text);
    }

    [Fact]
    public async Task A_server_that_goes_away_makes_its_calls_unavailable()
    {
        var entered = new CountdownEvent(3);
        var never = new TaskCompletionSource();
        await using var server = await TestServer.StartAsync(build: builder => builder.WebHost.UseShutdownTimeout(TimeSpan.Zero));
        server.Echo.OnSay = async (_, context) =>
        {
            entered.Signal();
            await never.Task.WaitAsync(context.CancellationToken);
            return new Pong();
        };
        server.Echo.OnRepeat = async (_, pongs, context) =>
        {
            await pongs.WriteAsync(new Pong());
            entered.Signal();
            await never.Task.WaitAsync(context.CancellationToken);
        };
        server.Echo.OnChat = async (_, _, context) =>
        {
            entered.Signal();
            await never.Task.WaitAsync(context.CancellationToken);
        };
        var client = server.Client;
        using var say = client.SayAsync(new Ping());
        using var repeat = client.Repeat(new Ping());
        using var chat = client.Chat();
        Assert.True(await repeat.ResponseStream.MoveNext());
        var next = repeat.ResponseStream.MoveNext();
        await Task.Run(entered.Wait);

        await server.KillAsync();

        Assert.Equal(StatusCode.Unavailable, (await StatusOfCalls.FailureOf(say)).Item1);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => next)).StatusCode);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => chat.ResponseStream.MoveNext())).StatusCode);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => chat.RequestStream.WriteAsync(new Ping()))).StatusCode);
    }

    [Fact]
    public async Task A_server_that_stops_in_peace_lets_its_calls_end()
    {
        var entered = new TaskCompletionSource();
        var leave = new TaskCompletionSource();
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = async (_, _) =>
        {
            entered.SetResult();
            await leave.Task;
            return new Pong { Text = "finished" };
        };
        using var call = server.Client.SayAsync(new Ping());
        await entered.Task;

        var stopping = server.StopAsync();
        leave.SetResult();

        Assert.Equal("finished", (await call).Text);
        await stopping;
    }

    [Fact]
    public async Task A_channel_outlives_the_restart_of_its_server()
    {
        var first = await TestServer.StartAsync();
        using var channel = GrpcChannel.ForAddress(first.Address);
        var client = new Echo.EchoClient(channel);
        Assert.Equal("1", (await client.SayAsync(new Ping { Text = "1" })).Text);
        await first.DisposeAsync();
        Assert.Equal(StatusCode.Unavailable, (await StatusOfCalls.FailureOf(client.SayAsync(new Ping()))).Item1);

        await using var second = await TestServer.StartAsync(port: first.Address.Port);

        Assert.Equal("2", (await client.SayAsync(new Ping { Text = "2" })).Text);
    }

    [Fact]
    public async Task More_calls_than_a_connection_takes_open_another()
    {
        var connections = 0;
        var entered = new CountdownEvent(150);
        var leave = new TaskCompletionSource();
        await using var server = await TestServer.StartAsync(listen: options => options.Use(next => connection =>
        {
            Interlocked.Increment(ref connections);
            return next(connection);
        }));
        server.Echo.OnSay = async (_, _) =>
        {
            entered.Signal();
            await leave.Task;
            return new Pong();
        };
        var client = server.Client;
        var calls = Enumerable.Range(0, 150).Select(_ => client.SayAsync(new Ping()).ResponseAsync).ToList();

        // Kestrel takes a hundred streams per connection.
        await Task.Run(entered.Wait);
        leave.SetResult();
        await Task.WhenAll(calls);

        Assert.Equal(2, connections);
    }

    [Fact]
    public async Task A_test_host_in_memory_serves_all_kinds_of_calls()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(new EchoService());
        await using var app = builder.Build();
        app.MapGrpcService<EchoService>();
        await app.StartAsync(TestContext.Current.CancellationToken);
        using var channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = app.GetTestServer().CreateHandler() });
        var client = new Echo.EchoClient(channel);

        Assert.Equal("hi", (await client.SayAsync(new Ping { Text = "hi" })).Text);
        Assert.Equal(StatusCode.Unimplemented, (await StatusOfCalls.FailureOf(client.NotThereAsync(new Ping()))).Item1);
        using (var repeat = client.Repeat(new Ping { Count = 3 }))
            Assert.Equal(3, (await repeat.ResponseStream.ReadAllAsync().ToListAsync()).Count);
        using var chat = client.Chat();
        for (var i = 0; i < 3; i++)
        {
            await chat.RequestStream.WriteAsync(new Ping { Count = i });
            Assert.True(await chat.ResponseStream.MoveNext());
            Assert.Equal(i, chat.ResponseStream.Current.Count);
        }

        await chat.RequestStream.CompleteAsync();
        Assert.False(await chat.ResponseStream.MoveNext());
    }

    /// <summary>An address that nothing listens on.</summary>
    static Uri Closed()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return new Uri($"http://{socket.LocalEndPoint}");
    }

    static X509Certificate2 SelfSigned(string name)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }
}
