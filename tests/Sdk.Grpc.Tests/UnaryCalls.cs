using Grpc.Core;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class UnaryCalls
{
    [Fact]
    public async Task A_response_comes_back()
    {
        await using var server = await TestServer.StartAsync();
        using var call = server.Client.SayAsync(new Ping { Text = "hi" });

        var pong = await call;

        Assert.Equal("hi", pong.Text);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.Empty(call.GetTrailers());
    }
}
