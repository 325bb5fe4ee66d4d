using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class StatusOfCalls
{
    [Fact]
    public async Task A_status_thrown_by_the_handler_reaches_the_caller_with_its_trailers()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) =>
        {
            context.ResponseTrailers.Add("x-before", "1");
            throw new RpcException(new Status(StatusCode.NotFound, "keine Größe: 100%\n"), new Metadata { { "grpc-status-details-bin", [1, 2, 3, 4] }, { "x-own", "2" } });
        };
        using var call = server.Client.SayAsync(new Ping());

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await call);

        Assert.Equal((StatusCode.NotFound, "keine Größe: 100%\n"), (failure.StatusCode, failure.Status.Detail));
        Assert.Equal("Status(StatusCode=\"NotFound\", Detail=\"keine Größe: 100%\n\")", failure.Message);
        Assert.Equal([1, 2, 3, 4], failure.Trailers.GetValueBytes("grpc-status-details-bin"));
        Assert.Equal(("1", "2"), (failure.Trailers.GetValue("x-before"), failure.Trailers.GetValue("x-own")));
        Assert.Equal(StatusCode.NotFound, call.GetStatus().StatusCode);
        Assert.Equal("2", call.GetTrailers().GetValue("x-own"));
    }

    [Fact]
    public async Task A_status_that_the_handler_sets_is_the_calls()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) =>
        {
            context.Status = new Status(StatusCode.AlreadyExists, "set");
            return Task.FromResult(new Pong());
        };

        Assert.Equal((StatusCode.AlreadyExists, "set"), await FailureOf(server.Client.SayAsync(new Ping())));
    }

    [Theory]
    [InlineData(false, "Exception was thrown by handler.")]
    [InlineData(true, "Exception was thrown by handler. InvalidOperationException: secret ArgumentException: inner")]
    public async Task An_unhandled_exception_is_unknown_and_told_only_if_wanted(bool detailed, string detail)
    {
        await using var server = await TestServer.StartAsync(grpc => grpc.EnableDetailedErrors = detailed);
        server.Echo.OnSay = (_, _) => throw new InvalidOperationException("secret", new ArgumentException("inner"));
        server.Echo.OnRepeat = async (_, _, _) =>
        {
            await Task.Yield();
            throw new InvalidOperationException("secret", new ArgumentException("inner"));
        };

        Assert.Equal((StatusCode.Unknown, detail), await FailureOf(server.Client.SayAsync(new Ping())));
        using var streaming = server.Client.Repeat(new Ping());
        Assert.Equal(detail, (await Assert.ThrowsAsync<RpcException>(() => streaming.ResponseStream.MoveNext())).Status.Detail);
    }

    [Fact]
    public async Task Messages_before_a_failure_are_delivered()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnRepeat = async (_, pongs, _) =>
        {
            await pongs.WriteAsync(new Pong { Text = "one" });
            throw new RpcException(new Status(StatusCode.DataLoss, "gone"), new Metadata { { "x-lost", "rest" } });
        };
        using var call = server.Client.Repeat(new Ping());

        Assert.True(await call.ResponseStream.MoveNext());
        Assert.Equal("one", call.ResponseStream.Current.Text);
        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal((StatusCode.DataLoss, "rest"), (failure.StatusCode, failure.Trailers.GetValue("x-lost")));
        Assert.Equal(StatusCode.DataLoss, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext())).StatusCode);
    }

    [Fact]
    public async Task A_missing_response_is_a_failure()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, _) => Task.FromResult<Pong>(null!);

        Assert.Equal((StatusCode.Cancelled, "No message returned from method."), await FailureOf(server.Client.SayAsync(new Ping())));
    }

    [Fact]
    public async Task Methods_and_services_that_are_not_there_are_unimplemented()
    {
        await using var server = await TestServer.StartAsync();
        var unknown = new Method<Ping, Pong>(MethodType.Unary, "sdk.tests.Echo", "Unheard", Marshaller(Ping.Parser), Marshaller(Pong.Parser));

        Assert.Equal((StatusCode.Unimplemented, ""), await FailureOf(server.Client.NotThereAsync(new Ping())));
        Assert.Equal((StatusCode.Unimplemented, "Method is unimplemented."), await FailureOf(server.Channel().CreateCallInvoker().AsyncUnaryCall(unknown, null, default, new Ping())));
        Assert.Equal((StatusCode.Unimplemented, "Service is unimplemented."), await FailureOf(new Absent.AbsentClient(server.Channel()).SayAsync(new Ping())));
    }

    [Fact]
    public async Task Unknown_services_may_be_left_to_the_rest_of_the_pipeline()
    {
        await using var server = await TestServer.StartAsync(grpc => grpc.IgnoreUnknownServices = true);

        Assert.Equal((StatusCode.Unimplemented, "Bad gRPC response. HTTP status code: 404"), await FailureOf(new Absent.AbsentClient(server.Channel()).SayAsync(new Ping())));
    }

    [Fact]
    public async Task A_failure_without_messages_is_a_response_of_headers_only()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, _) => throw new RpcException(new Status(StatusCode.NotFound, "no ä"), new Metadata { { "x-own", "2" } });
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", RawCall.Frame(new Ping())));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/grpc", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(("5", "no %C3%A4", "2"), (RawCall.Header(response, "grpc-status"), RawCall.Header(response, "grpc-message"), RawCall.Header(response, "x-own")));
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        Assert.Empty(response.TrailingHeaders);
    }

    [Fact]
    public async Task A_success_has_its_status_in_the_trailers()
    {
        await using var server = await TestServer.StartAsync();
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", RawCall.Frame(new Ping { Text = "x" }), ("content-type", "application/grpc+proto")));

        Assert.Equal(RawCall.Frame(new Pong { Text = "x" }), await response.Content.ReadAsByteArrayAsync());
        Assert.Null(RawCall.Header(response, "grpc-status"));
        Assert.Equal("0", RawCall.Trailer(response, "grpc-status"));
        Assert.Null(RawCall.Trailer(response, "grpc-message"));
    }

    [Fact]
    public async Task A_server_stream_without_messages_succeeds_with_trailers()
    {
        await using var server = await TestServer.StartAsync();
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Repeat", RawCall.Frame(new Ping())));

        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("0", RawCall.Trailer(response, "grpc-status"));
    }

    [Theory]
    [InlineData("application/json", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("application/grpcish", HttpStatusCode.UnsupportedMediaType)]
    public async Task A_request_that_is_no_grpc_is_refused(string contentType, HttpStatusCode expected)
    {
        await using var server = await TestServer.StartAsync();
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", [], ("content-type", contentType)));

        Assert.Equal(expected, response.StatusCode);
        Assert.Equal("13", RawCall.Header(response, "grpc-status"));
    }

    [Theory]
    [InlineData(new byte[0], "Incomplete message.")]
    [InlineData(new byte[] { 0, 0, 0, 0 }, "Incomplete message.")]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 8 }, "Incomplete message.")]
    [InlineData(new byte[] { 2, 0, 0, 0, 0 }, "Unexpected compressed flag value in message header.")]
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, "Request sent a compressed message without a grpc-encoding header.")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, "Additional data after the message received.")]
    [InlineData(new byte[] { 0, 0, 0, 0, 1, 8 }, "Failed to deserialize request message.")]
    public async Task A_malformed_request_is_an_internal_error(byte[] body, string detail)
    {
        await using var server = await TestServer.StartAsync();
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", body));

        Assert.Equal(("13", detail), (RawCall.Header(response, "grpc-status"), RawCall.Header(response, "grpc-message")));
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 8 }, "Incomplete message.")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8 }, "Failed to deserialize request message.")]
    public async Task A_malformed_request_in_a_stream_is_an_internal_error(byte[] body, string detail)
    {
        await using var server = await TestServer.StartAsync();
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Collect", body));

        Assert.Equal(("13", detail), (RawCall.Header(response, "grpc-status"), RawCall.Header(response, "grpc-message")));
    }

    [Theory]
    [InlineData(400, StatusCode.Internal)]
    [InlineData(401, StatusCode.Unauthenticated)]
    [InlineData(403, StatusCode.PermissionDenied)]
    [InlineData(404, StatusCode.Unimplemented)]
    [InlineData(429, StatusCode.Unavailable)]
    [InlineData(500, StatusCode.Unknown)]
    [InlineData(502, StatusCode.Unavailable)]
    [InlineData(503, StatusCode.Unavailable)]
    [InlineData(504, StatusCode.Unavailable)]
    public async Task A_http_status_without_a_grpc_status_is_translated(int httpStatus, StatusCode expected)
    {
        await using var server = await Fake(http =>
        {
            http.Response.StatusCode = httpStatus;
            return Task.CompletedTask;
        });

        Assert.Equal((expected, $"Bad gRPC response. HTTP status code: {httpStatus}"), await FailureOf(server.Client.SayAsync(new Ping())));
    }

    [Fact]
    public async Task A_grpc_status_counts_more_than_the_http_status()
    {
        await using var server = await Fake(http =>
        {
            http.Response.StatusCode = 503;
            http.Response.Headers.GrpcStatus = "8";
            http.Response.Headers.GrpcMessage = "slow%20down";
            return Task.CompletedTask;
        });

        Assert.Equal((StatusCode.ResourceExhausted, "slow down"), await FailureOf(server.Client.SayAsync(new Ping())));
    }

    [Fact]
    public async Task A_page_instead_of_a_response_is_a_failure()
    {
        await using var server = await Fake(http => http.Response.WriteAsync("<html>"));
        await using var typed = await Fake(http =>
        {
            http.Response.ContentType = "text/html";
            return http.Response.WriteAsync("<html>");
        });

        Assert.Equal((StatusCode.Unknown, "Bad gRPC response. Response did not have a content-type header."), await FailureOf(server.Client.SayAsync(new Ping())));
        Assert.Equal((StatusCode.Unknown, "Bad gRPC response. Invalid content-type value: text/html"), await FailureOf(typed.Client.SayAsync(new Ping())));
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 0 }, null, StatusCode.Unknown, "No grpc-status found on response.")]
    [InlineData(new byte[] { }, "0", StatusCode.Internal, "Failed to deserialize response message.")]
    [InlineData(new byte[] { 0, 0, 0, 0, 1, 8 }, "0", StatusCode.Internal, "Failed to deserialize response message.")]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 8 }, "0", StatusCode.Internal, "Unexpected end of content while reading the message content.")]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 8 }, "15", StatusCode.DataLoss, "")]
    [InlineData(new byte[] { 0, 0 }, "0", StatusCode.Internal, "Incomplete message.")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, "0", StatusCode.Internal, "Unexpected data after finished reading message.")]
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, "0", StatusCode.Internal, "A compressed message was received, but no message encoding was announced.")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0 }, "77", StatusCode.Unknown, "")]
    public async Task A_malformed_response_is_a_failure(byte[] body, string? status, StatusCode code, string detail)
    {
        await using var server = await Fake(async http =>
        {
            http.Response.ContentType = "application/grpc";
            await http.Response.Body.WriteAsync(body);
            await http.Response.Body.FlushAsync();
            if (status is not null)
                http.Response.AppendTrailer("grpc-status", status);
        });

        Assert.Equal((code, detail), await FailureOf(server.Client.SayAsync(new Ping())));
    }

    [Fact]
    public async Task An_ok_of_headers_only_ends_a_stream_and_fails_a_unary_call()
    {
        await using var server = await Fake(http =>
        {
            http.Response.ContentType = "application/grpc";
            http.Response.Headers.GrpcStatus = "0";
            return Task.CompletedTask;
        });
        using var streaming = server.Client.Repeat(new Ping());

        Assert.False(await streaming.ResponseStream.MoveNext());
        Assert.Equal((StatusCode.Internal, "Failed to deserialize response message."), await FailureOf(server.Client.SayAsync(new Ping())));
    }

    [Fact]
    public async Task A_service_from_the_container_lives_as_long_as_its_call()
    {
        var log = new List<string>();
        await using var server = await TestServer.StartAsync(
            build: builder => builder.Services.AddScoped<Scoped>().AddSingleton(log),
            map: app => app.MapGrpcService<TransientEcho>());

        Assert.Equal("scoped", (await server.Client.SayAsync(new Ping())).Text);
        Assert.Equal("scoped", (await server.Client.SayAsync(new Ping())).Text);

        Assert.Equal(["said", "disposed", "said", "disposed"], log);
    }

    [Fact]
    public void Mapping_a_service_without_AddGrpc_says_what_is_missing()
    {
        var app = WebApplication.CreateSlimBuilder().Build();

        Assert.Contains("AddGrpc", Assert.Throws<InvalidOperationException>(() => app.MapGrpcService<EchoService>()).Message);
    }

    internal static async Task<(StatusCode, string)> FailureOf(AsyncUnaryCall<Pong> call)
    {
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await call);
        return (failure.StatusCode, failure.Status.Detail);
    }

    static Task<TestServer> Fake(RequestDelegate answer) => TestServer.StartAsync(map: app => app.Run(answer));

    static Marshaller<T> Marshaller<T>(global::Google.Protobuf.MessageParser<T> parser)
        where T : global::Google.Protobuf.IMessage<T> => Marshallers.Create(message => global::Google.Protobuf.MessageExtensions.ToByteArray(message), parser.ParseFrom);

    sealed class Scoped
    {
        public string Text => "scoped";
    }

    sealed class TransientEcho(Scoped scoped, List<string> log) : Echo.EchoBase, IAsyncDisposable
    {
        public override Task<Pong> Say(Ping request, ServerCallContext context)
        {
            log.Add("said");
            return Task.FromResult(new Pong { Text = scoped.Text });
        }

        public ValueTask DisposeAsync()
        {
            log.Add("disposed");
            return default;
        }
    }
}
