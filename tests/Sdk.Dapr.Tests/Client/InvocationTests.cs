using System.Net;
using System.Net.Http.Json;
using System.Text;
using Dapr.Client;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Wire = Dapr.Proto.Runtime.V1;

#pragma warning disable CS0618 // Obsolete members are served as well.

namespace DaprPlatform.Sdk.Tests.Client;

public sealed class InvocationTests : SidecarTest
{
    sealed record Item(string Sku, int Count);

    [Theory]
    [InlineData("http://inventory/res/x?y=1&z=a%20b", "/v1.0/invoke/inventory/method/res/x?y=1&z=a%20b")]
    [InlineData("http://inventory", "/v1.0/invoke/inventory/method/")]
    [InlineData("http://inventory.ns:8080/a%2Fb", "/v1.0/invoke/inventory.ns/method/a%2Fb")]
    public async Task The_host_of_an_address_is_the_app_called(string address, string target)
    {
        using var http = DaprClient.CreateInvokeHttpClient(daprEndpoint: Sidecar.HttpEndpoint);
        await http.GetAsync(new Uri(address), Token);
        Assert.Equal(target, Assert.Single(Sidecar.Http).Target);
    }

    [Fact]
    public async Task An_app_id_keeps_its_case_and_is_the_base_of_relative_addresses()
    {
        using var http = DaprClient.CreateInvokeHttpClient("Inventory", Sidecar.HttpEndpoint, "secret");
        await http.PostAsJsonAsync("/reserve", new Item("a", 2), Token);
        var request = Assert.Single(Sidecar.Http);
        Assert.Equal("POST /v1.0/invoke/Inventory/method/reserve", $"{request.Method} {request.Target}");
        Assert.Equal("secret", request.Headers["dapr-api-token"]);
        Assert.StartsWith("dapr-sdk-dotnet/v", request.Headers["User-Agent"], StringComparison.Ordinal);
        Assert.Equal("""{"sku":"a","count":2}""", Encoding.UTF8.GetString(request.Body));
    }

    [Fact]
    public async Task The_address_of_a_request_is_left_as_it_was()
    {
        using var http = DaprClient.CreateInvokeHttpClient(daprEndpoint: Sidecar.HttpEndpoint);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://inventory/x");
        await http.SendAsync(request, Token);
        Assert.Equal(new Uri("http://inventory/x"), request.RequestUri);
    }

    [Fact]
    public void An_app_id_that_is_no_host_name_is_refused() => Assert.Throws<ArgumentException>(() => DaprClient.CreateInvokeHttpClient("a b"));

    [Fact]
    public async Task A_client_hands_on_its_own_address_and_token()
    {
        using var client = Sidecar.Client(b => b.UseDaprApiToken("secret"));
        using var http = client.CreateInvokableHttpClient("inventory");
        await http.GetAsync(new Uri("list", UriKind.Relative), Token);
        var request = Assert.Single(Sidecar.Http);
        Assert.Equal(("/v1.0/invoke/inventory/method/list", "secret"), (request.Target, request.Headers["dapr-api-token"]));
    }

    [Fact]
    public async Task Requests_are_made_with_method_path_query_and_body()
    {
        using var client = Sidecar.Client(b => b.UseDaprApiToken("secret"));
        Assert.Equal(HttpMethod.Post, client.CreateInvokeMethodRequest("inv", "x").Method);
        Assert.EndsWith("/v1.0/invoke/inv/method/x", client.CreateInvokeMethodRequest("inv", "/x").RequestUri!.AbsoluteUri, StringComparison.Ordinal);
        Assert.EndsWith("/method/x?a=1&b=%26%20c", client.CreateInvokeMethodRequest(HttpMethod.Get, "inv", "x?a=1", [new("b", "& c")]).RequestUri!.AbsoluteUri, StringComparison.Ordinal);

        var request = client.CreateInvokeMethodRequest("inv", "x", new Item("a", 1));
        Assert.Equal("secret", Assert.Single(request.Headers.GetValues("dapr-api-token")));
        using var response = await client.InvokeMethodWithResponseAsync(request, Token);
        var seen = Assert.Single(Sidecar.Http);
        Assert.Equal("application/json; charset=utf-8", seen.Headers["Content-Type"]);
        Assert.Equal("chunked", seen.Headers["Transfer-Encoding"]);
        Assert.Equal("""{"sku":"a","count":1}""", Encoding.UTF8.GetString(seen.Body));
    }

    [Fact]
    public async Task A_response_is_read_from_JSON()
    {
        Sidecar.AnswerHttp = c => c.Response.WriteAsJsonAsync(new Item("b", 3));
        Assert.Equal(new Item("b", 3), await Client.InvokeMethodAsync<Item, Item>("inv", "x", new Item("a", 1), Token));
        Assert.Equal(new Item("b", 3), await Client.InvokeMethodAsync<Item>(HttpMethod.Get, "inv", "x", Token));
        Assert.Equal(["POST", "GET"], Sidecar.Http.Select(r => r.Method));
    }

    [Fact]
    public async Task An_unsuccessful_response_is_an_exception_that_has_it()
    {
        Sidecar.AnswerHttp = c =>
        {
            c.Response.StatusCode = StatusCodes.Status409Conflict;
            return c.Response.WriteAsync("""{"why":"stock"}""");
        };
        var e = await Assert.ThrowsAsync<InvocationException>(() => Client.InvokeMethodAsync("inv", "reserve", Token));
        Assert.Equal("An exception occurred while invoking method: 'reserve' on app-id: 'inv'", e.Message);
        Assert.Equal(("inv", "reserve", HttpStatusCode.Conflict), (e.AppId, e.MethodName, e.Response!.StatusCode));
        Assert.IsType<HttpRequestException>(e.InnerException);
        Assert.Equal("""{"why":"stock"}""", await e.Response.Content.ReadAsStringAsync(Token));
    }

    [Fact]
    public async Task A_response_that_is_no_JSON_is_an_exception()
    {
        Sidecar.AnswerHttp = c => c.Response.WriteAsync("<html>");
        var e = await Assert.ThrowsAsync<InvocationException>(() => Client.InvokeMethodAsync<Item>("inv", "x", Token));
        Assert.NotNull(e.Response);
    }

    [Fact]
    public async Task Requests_to_other_places_are_refused() =>
        await Assert.ThrowsAsync<InvalidOperationException>(() => Client.InvokeMethodAsync(new HttpRequestMessage(HttpMethod.Get, "http://example.invalid/x"), Token));

    [Fact]
    public async Task An_app_that_speaks_gRPC_is_invoked_with_packed_messages()
    {
        Sidecar.Answer("InvokeService", new Dapr.Proto.Common.V1.InvokeResponse { Data = Any.Pack(new StringValue { Value = "pong" }) });
        var answer = await Client.InvokeMethodGrpcAsync<StringValue, StringValue>("inv", "Ping", new StringValue { Value = "ping" }, Token);
        Assert.Equal("pong", answer.Value);
        var request = Sidecar.Single<Wire.InvokeServiceRequest>();
        Assert.Equal(("inv", "Ping", "ping"), (request.Id, request.Message.Method, request.Message.Data.Unpack<StringValue>().Value));

        Sidecar.Refuse("InvokeService", StatusCode.NotFound);
        var e = await Assert.ThrowsAsync<InvocationException>(() => Client.InvokeMethodGrpcAsync("inv", "Ping", Token));
        Assert.IsType<RpcException>(e.InnerException);
        Assert.Null(e.Response);
    }

    [Fact]
    public async Task An_invoker_addresses_gRPC_calls_to_the_app()
    {
        var invoker = DaprClient.CreateInvocationInvoker("inventory", Sidecar.GrpcEndpoint, "secret");
        var method = new Method<Wire.GetStateRequest, Wire.GetStateResponse>(
            MethodType.Unary, "dapr.proto.runtime.v1.Dapr", "GetState", Message(Wire.GetStateRequest.Parser), Message(Wire.GetStateResponse.Parser));
        var mine = new Metadata { { "x-mine", "1" } };
        await invoker.AsyncUnaryCall(method, null, new CallOptions(mine), new Wire.GetStateRequest());
        await invoker.AsyncUnaryCall(method, null, new CallOptions(mine), new Wire.GetStateRequest());
        Assert.All(Sidecar.Grpc, call =>
        {
            Assert.Equal("inventory", Assert.Single(call.Headers.GetAll("dapr-app-id")).Value);
            Assert.Equal("secret", call.Headers.GetValue("dapr-api-token"));
            Assert.Equal("1", call.Headers.GetValue("x-mine"));
        });
        Assert.Single(mine);
    }

    static Marshaller<T> Message<T>(Google.Protobuf.MessageParser<T> parser)
        where T : Google.Protobuf.IMessage<T> => Marshallers.Create(m => Google.Protobuf.MessageExtensions.ToByteArray(m), parser.ParseFrom);
}
