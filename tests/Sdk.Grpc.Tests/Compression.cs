using System.IO.Compression;
using Google.Protobuf;
using Grpc.Core;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class Compression
{
    static readonly Metadata AskForGzip = new() { { "grpc-internal-encoding-request", "gzip" } };

    [Fact]
    public async Task A_compressed_request_is_smaller_and_read_all_the_same()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (ping, context) => Task.FromResult(new Pong { Count = ping.Data.Length, Text = context.GetHttpContext().Request.Headers.GrpcEncoding.ToString() });

        var pong = await server.Client.SayAsync(new Ping { Data = ByteString.CopyFrom(new byte[100_000]) }, AskForGzip);

        Assert.Equal((100_000, "gzip"), (pong.Count, pong.Text));
    }

    [Fact]
    public async Task Compressed_streams_go_both_ways()
    {
        await using var server = await TestServer.StartAsync(grpc => grpc.ResponseCompressionAlgorithm = "gzip");
        using var call = server.Client.Chat(AskForGzip);
        for (var i = 0; i < 5; i++)
        {
            call.RequestStream.WriteOptions = new WriteOptions(i % 2 == 0 ? WriteFlags.NoCompress : 0);
            await call.RequestStream.WriteAsync(new Ping { Count = i, Text = new string('x', 1000) });
            Assert.True(await call.ResponseStream.MoveNext());
            Assert.Equal((i, 1000), (call.ResponseStream.Current.Count, call.ResponseStream.Current.Text.Length));
        }
    }

    [Theory]
    [InlineData("identity,gzip", true)]
    [InlineData("deflate, gzip", true)]
    [InlineData("identity", false)]
    [InlineData("xgzip", false)]
    public async Task Responses_are_compressed_for_clients_that_accept_it(string accepted, bool compressed)
    {
        await using var server = await TestServer.StartAsync(grpc => grpc.ResponseCompressionAlgorithm = "gzip");
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", RawCall.Frame(new Ping { Text = new string('x', 1000) }), ("grpc-accept-encoding", accepted)));

        var body = await response.Content.ReadAsByteArrayAsync();
        Assert.Equal(compressed ? "gzip" : null, RawCall.Header(response, "grpc-encoding"));
        Assert.Equal(compressed ? 1 : 0, body[0]);
        Assert.Equal(compressed, body.Length < 200);
    }

    [Fact]
    public async Task A_handler_may_ask_for_compression_with_its_headers()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = async (_, context) =>
        {
            await context.WriteResponseHeadersAsync(AskForGzip);
            return new Pong { Text = new string('x', 1000) };
        };
        using var call = server.Client.SayAsync(new Ping());

        Assert.Equal(1000, (await call).Text.Length);
        Assert.DoesNotContain(await call.ResponseHeadersAsync, entry => entry.Key.StartsWith("grpc", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_encoding_that_is_not_known_is_unimplemented()
    {
        await using var server = await TestServer.StartAsync();
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", RawCall.Frame(new Ping()), ("grpc-encoding", "zstd")));

        Assert.Equal(("12", "identity,gzip"), (RawCall.Header(response, "grpc-status"), RawCall.Header(response, "grpc-accept-encoding")));
        Assert.Throws<RpcException>(() => server.Client.SayAsync(new Ping(), new Metadata { { "grpc-internal-encoding-request", "zstd" } }));
    }

    [Fact]
    public async Task A_small_frame_that_unpacks_to_a_message_beyond_the_limit_is_refused()
    {
        await using var server = await TestServer.StartAsync();
        using var http = RawCall.Client(server.Address);
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
            gzip.Write(new byte[100_000_000]);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", RawCall.Frame(packed.ToArray(), compressed: true), ("grpc-encoding", "gzip")));

        Assert.Equal("8", RawCall.Header(response, "grpc-status"));
    }

    [Fact]
    public async Task A_frame_that_is_no_gzip_is_refused()
    {
        await using var server = await TestServer.StartAsync();
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", RawCall.Frame([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], compressed: true), ("grpc-encoding", "gzip")));

        Assert.Equal(("13", "The compressed message is malformed."), (RawCall.Header(response, "grpc-status"), RawCall.Header(response, "grpc-message")));
    }
}
