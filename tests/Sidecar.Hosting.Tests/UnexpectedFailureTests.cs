using System.Net;
using System.Net.Sockets;
using System.Text;
using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>What no part of the sidecar reckons with reaches the caller as an error of Dapr's form all the same.</summary>
public sealed class UnexpectedFailureTests
{
    private const string Pipeline = "httpPipeline: {handlers: [{name: upper, type: middleware.http.uppercase}]}";
    private static readonly string Upper = RunningSidecar.Component("upper", "middleware.http.uppercase");

    [Fact]
    public async Task A_body_that_a_pipeline_cannot_read_has_an_error_body()
    {
        await using var sidecar = await RunningSidecar.StartAsync([Upper, RunningSidecar.Component("memory", "state.in-memory")], configuration: Pipeline);

        var answer = await RawAsync(sidecar, "POST /v1.0/state/memory HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Contains("Content-Type: application/json\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("\r\n\r\n{\"errorCode\":\"ERR_BODY_READ\",\"message\":\"failed to read request body: ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_without_a_pipeline_that_breaks_off_has_an_error_body()
    {
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("memory", "state.in-memory")]);

        var answer = await RawAsync(sidecar, "POST /v1.0/state/memory HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Contains("\r\n\r\n{\"errorCode\":\"ERR_", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1.0/state/memory", HttpStatusCode.BadRequest, "ERR_MALFORMED_REQUEST")]
    [InlineData("/v1.0/publish/broker/t", HttpStatusCode.InternalServerError, "ERR_PUBSUB_PUBLISH_MESSAGE")]
    [InlineData("/v1.0/invoke/hosted/method/m", HttpStatusCode.InternalServerError, "ERR_DIRECT_INVOKE")]
    public async Task A_body_over_the_limit_is_each_APIs_own_error_behind_a_pipeline_too(string path, HttpStatusCode status, string code)
    {
        await using var app = await StandInApp.StartAsync();
        app.On("/m");
        await using var sidecar = await RunningSidecar.StartAsync([Upper, RunningSidecar.Component("memory", "state.in-memory"), RunningSidecar.Component("broker", "pubsub.in-memory")],
            app.Port, Pipeline, o => o with { MaxBodySize = 1000 });

        var answer = await sidecar.SendAsync("POST", path, '"' + new string('x', 2000) + '"');

        Assert.Equal(status, answer.Status);
        Assert.Contains($"\"errorCode\":\"{code}\"", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_router_checker_takes_no_longer_however_its_rule_is_made()
    {
        var checker = RunningSidecar.Component("checker", "middleware.http.routerchecker", ("rule", "^/v1.0/(?P<rest>([a-z0-9/]+)+)$"));
        await using var sidecar = await RunningSidecar.StartAsync([checker], configuration: "httpPipeline: {handlers: [{name: checker, type: middleware.http.routerchecker}]}");

        Assert.Equal((HttpStatusCode.BadRequest, "invalid router"), await sidecar.SendAsync("GET", "/v1.0/" + new string('a', 4000) + "!"));
        Assert.Equal(HttpStatusCode.OK, (await sidecar.SendAsync("GET", "/v1.0/metadata")).Status);
    }

    [Fact]
    public async Task An_answer_of_the_app_that_breaks_off_at_once_is_an_error_over_both_protocols()
    {
        using var app = new TcpListener(IPAddress.Loopback, 0);
        app.Start();
        var serving = ServeAsync();
        await using var sidecar = await RunningSidecar.StartAsync([], ((IPEndPoint)app.LocalEndpoint).Port);
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{sidecar.Sidecar.Options.GrpcPort}");
        var request = new InvokeServiceRequest { Id = "hosted", Message = new InvokeRequest { Method = "m", HttpExtension = new HTTPExtension { Verb = HTTPExtension.Types.Verb.Get } } };

        var (status, text) = await sidecar.SendAsync("GET", "/v1.0/invoke/hosted/method/m");
        var refused = await Assert.ThrowsAsync<RpcException>(() => new Dapr.Proto.Runtime.V1.Dapr.DaprClient(channel).InvokeServiceAsync(request).ResponseAsync);

        Assert.Equal(HttpStatusCode.InternalServerError, status);
        Assert.StartsWith("{\"errorCode\":\"ERR_DIRECT_INVOKE\",\"message\":\"failed to invoke, id: hosted, err: ", text, StringComparison.Ordinal);
        Assert.Equal(StatusCode.Internal, refused.StatusCode);
        Assert.StartsWith("failed to invoke, id: hosted, err: ", refused.Status.Detail, StringComparison.Ordinal);
        app.Stop();
        await serving;

        // Promises a body, and closes the connection.
        async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await app.AcceptTcpClientAsync();
                    var stream = client.GetStream();
                    if (await stream.ReadAsync(new byte[4096]) > 0)
                        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n"u8.ToArray());
                }
            }
            catch (SocketException)
            {
                // The test is over.
            }
        }
    }

    private static async Task<string> RawAsync(RunningSidecar sidecar, string request)
    {
        using var limit = new CancellationTokenSource(RunningSidecar.Patience);
        using var tcp = new TcpClient();
        await tcp.ConnectAsync("127.0.0.1", sidecar.Sidecar.Options.HttpPort, limit.Token);
        await tcp.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), limit.Token);
        using var answer = new MemoryStream();
        await tcp.GetStream().CopyToAsync(answer, limit.Token);
        return Encoding.UTF8.GetString(answer.ToArray());
    }
}
