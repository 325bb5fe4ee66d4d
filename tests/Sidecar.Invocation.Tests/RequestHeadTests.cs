using System.Net;
using System.Net.Sockets;
using System.Text;
using DaprPlatform.Sidecar.Http.Client;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace DaprPlatform.Sidecar.Tests;

/// <summary>What callers give stays in its place in the head of the request to the app.</summary>
public sealed class RequestHeadTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", "/a?b=c HTTP/1.1\r\nX-Evil: 1", "X-Ok", "1")]
    [InlineData("GET", "/a?b=c\nX-Evil: 1", "X-Ok", "1")]
    [InlineData("GET", "/a\0", "X-Ok", "1")]
    [InlineData("GET /evil HTTP/1.1\r\n\r\nGET", "/", "X-Ok", "1")]
    [InlineData("GET", "/", "Content-Type", "text/plain\r\nX-Evil: 1")]
    [InlineData("GET", "/", "X-Ok", "1\n\nGET /evil HTTP/1.1")]
    [InlineData("GET", "/", "X-Ok: 1\r\nX-Evil", "1")]
    [InlineData("GET", "/", "", "1")]
    public async Task What_would_begin_a_line_of_its_own_is_not_sent(string method, string target, string name, string value)
    {
        // Nobody listens: what is refused is refused before anybody is asked for.
        using var nobody = new TcpListener(IPAddress.Loopback, 0);
        nobody.Start();
        await using var transport = new Http1Transport("127.0.0.1", ((IPEndPoint)nobody.LocalEndpoint).Port, tls: null, maxHeaderBytes: 4096);

        var refused = await Assert.ThrowsAsync<UpstreamException>(async () => await transport.SendAsync(Request(method, target, name, value), Cancel));

        Assert.Contains("net/http: ", refused.Message, StringComparison.Ordinal);
        Assert.False(nobody.Pending());
    }

    [Fact]
    public async Task Everything_else_goes_out_as_it_is()
    {
        using var app = new TcpListener(IPAddress.Loopback, 0);
        app.Start();
        await using var transport = new Http1Transport("127.0.0.1", ((IPEndPoint)app.LocalEndpoint).Port, tls: null, maxHeaderBytes: 4096);

        var sending = transport.SendAsync(Request("PROPFIND", "/a%0D%0A?b=%20+c", "X-Odd.Name_~", "a\tb; \u00fc, \"c\""), Cancel).AsTask();
        using var accepted = await app.AcceptTcpClientAsync(Cancel);
        using var reader = new StreamReader(accepted.GetStream(), Encoding.Latin1, leaveOpen: true);
        Assert.Equal("PROPFIND /a%0D%0A?b=%20+c HTTP/1.1", await reader.ReadLineAsync(Cancel));
        Assert.Equal("X-Odd.Name_~: a\tb; \u00fc, \"c\"", await reader.ReadLineAsync(Cancel));
        await accepted.GetStream().WriteAsync("HTTP/1.1 204 No Content\r\n\r\n"u8.ToArray(), Cancel);

        await using var answer = await sending;
        Assert.Equal(204, answer.Status);
    }

    private static UpstreamRequest Request(string method, string target, string name, string value) =>
        new(method, target, [KeyValuePair.Create(name, new StringValues(value))], RequestBody.Empty);
}
