using System.Net;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class GrpcProxyTests
{
    [Theory]
    [InlineData(2000, 1, StatusCode.ResourceExhausted, "grpc: received message larger than max (2000 vs. 1000)")]
    [InlineData(900, 5, StatusCode.OK, "")]
    public async Task The_limit_of_a_body_is_that_of_each_message_that_is_passed_on(int size, int count, StatusCode status, string reason)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var port = DaprSidecar.FreePort();
        builder.WebHost.ConfigureKestrel(k => k.ListenLocalhost(port, l => l.Protocols = HttpProtocols.Http2));
        await using var app = builder.Build();
        app.MapPost("/shop.v1.Basket/Add", async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            await GrpcProtocol.WriteStatus(context, Status.DefaultSuccess);
        });
        await app.StartAsync();
        await using var sidecar = await RunningSidecar.StartAsync([], port, change: o => o with { AppProtocol = AppProtocol.Grpc, MaxBodySize = 1000 });
        using var http = new HttpClient();
        var messages = new byte[count * (5 + size)];
        for (var at = 0; at < messages.Length; at += 5 + size)
            (messages[at + 3], messages[at + 4]) = ((byte)(size >> 8), (byte)size);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{sidecar.Sidecar.Options.GrpcPort}/shop.v1.Basket/Add")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(messages),
        };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/grpc");
        request.Headers.TryAddWithoutValidation("te", "trailers");
        request.Headers.TryAddWithoutValidation("dapr-app-id", "hosted");

        using var answer = await http.SendAsync(request).WaitAsync(RunningSidecar.Patience);

        await answer.Content.ReadAsByteArrayAsync();
        var ended = answer.TrailingHeaders.Contains("grpc-status") ? answer.TrailingHeaders : answer.Headers;
        Assert.Equal(((int)status).ToString(System.Globalization.CultureInfo.InvariantCulture), ended.GetValues("grpc-status").Single());
        Assert.Equal(reason, ended.TryGetValues("grpc-message", out var told) ? GrpcProtocol.DecodeMessage(told.Single()) : "");
    }
}
