using System.Net;
using Dapr;
using Dapr.AspNetCore;
using Dapr.Client;
using Google.Protobuf;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Wire = Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sdk.Tests.AspNetCore;

public sealed class AppTests : SidecarTest
{
    sealed record Order(string Id);

    [Fact]
    public async Task A_bulk_delivery_is_bound_and_its_verdicts_are_named()
    {
        await using var app = await TestApp.StartAsync(a => a.MapPost("/bulk", (BulkSubscribeMessage<BulkMessageModel<Order>> message) =>
            new BulkSubscribeAppResponse([.. message.Entries.Select(e => new BulkSubscribeAppResponseEntry(
                e.EntryId, e.Event.Data.Id == "bad" ? BulkSubscribeAppResponseStatus.DROP : BulkSubscribeAppResponseStatus.SUCCESS))])));
        using var response = await app.Post(
            "/bulk",
            """{"id":"1","topic":"orders","pubsubname":"p","type":"com.dapr.event.sent.bulk","metadata":{"pubsubName":"p"},"entries":[{"entryId":"e1","contentType":"application/cloudevents+json","metadata":{"a":"b"},"event":{"id":"x","source":"s","type":"t","specversion":"1.0","datacontenttype":"application/json","data":{"id":"good"}}},{"entryId":"e2","contentType":"application/cloudevents+json","metadata":null,"event":{"id":"y","data":{"id":"bad"}}}]}""",
            "application/json");
        Assert.Equal("""{"statuses":[{"entryId":"e1","status":"SUCCESS"},{"entryId":"e2","status":"DROP"}]}""", await response.Content.ReadAsStringAsync(Token));
    }

    Task<TestApp> Things() => TestApp.StartAsync(
        a => a.MapControllers(),
        b =>
        {
            b.Services.AddControllers().AddDapr(c => c.UseGrpcEndpoint(Sidecar.GrpcEndpoint).UseHttpEndpoint(Sidecar.HttpEndpoint))
                .ConfigureApplicationPartManager(m =>
                {
                    m.FeatureProviders.Clear();
                    m.FeatureProviders.Add(new Only<StateController>());
                });
        });

    [Theory]
    [InlineData("/state/value/k1", "k1", "7")]
    [InlineData("/state/entry/k2", "k2", "7 e5")]
    [InlineData("/state/named/k3", "k3", "7")]
    public async Task State_is_bound_by_its_key_in_the_route(string path, string key, string seen)
    {
        Sidecar.Answer("GetState", new Wire.GetStateResponse { Data = ByteString.CopyFromUtf8("7"), Etag = "e5" });
        await using var app = await Things();
        Assert.Equal(seen, await app.Http.GetStringAsync(new Uri(path, UriKind.Relative), Token));
        Assert.Equal(("store", key), (Sidecar.Single<Wire.GetStateRequest>().StoreName, Sidecar.Single<Wire.GetStateRequest>().Key));
    }

    [Fact]
    public async Task State_without_a_key_is_a_bad_request()
    {
        await using var app = await Things();
        using var response = await app.Http.GetAsync(new Uri("/state/none", UriKind.Relative), Token);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Empty(Sidecar.Grpc);
    }

    [Fact]
    public async Task A_missing_state_entry_has_the_default()
    {
        await using var app = await Things();
        Assert.Equal("0 ", await app.Http.GetStringAsync(new Uri("/state/entry/x", UriKind.Relative), Token));
    }

    [Theory]
    [InlineData("secret", HttpStatusCode.OK)]
    [InlineData("wrong", HttpStatusCode.Unauthorized)]
    [InlineData(null, HttpStatusCode.Unauthorized)]
    public async Task Only_the_sidecar_comes_in(string? token, HttpStatusCode status)
    {
        await using var app = await TestApp.StartAsync(
            a =>
            {
                a.UseAuthentication();
                a.UseAuthorization();
                a.MapGet("/", () => "in").RequireAuthorization("Dapr");
            },
            b =>
            {
                b.Configuration["APP_API_TOKEN"] = "secret";
                b.Services.AddAuthentication().AddDapr();
                b.Services.AddAuthorization(o => o.AddDapr());
            });
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        if (token is not null)
            request.Headers.Add("Dapr-Api-Token", token);
        using var response = await app.Http.SendAsync(request, Token);
        Assert.Equal(status, response.StatusCode);
    }

    [Fact]
    public async Task Without_a_token_to_compare_with_nobody_comes_in()
    {
        await using var app = await TestApp.StartAsync(
            a =>
            {
                a.UseAuthentication();
                a.UseAuthorization();
                a.MapGet("/", () => "in").RequireAuthorization("Dapr");
            },
            b =>
            {
                b.Services.AddAuthentication().AddDapr(o => o.Token = "");
                b.Services.AddAuthorization(o => o.AddDapr());
            });
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Add("Dapr-Api-Token", "");
        using var response = await app.Http.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public async Task A_registered_client_takes_addresses_and_token_from_the_configuration()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["DAPR_GRPC_ENDPOINT"] = Sidecar.GrpcEndpoint + "/ignored",
            ["DAPR_HTTP_PORT"] = new Uri(Sidecar.HttpEndpoint).Port.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["DAPR_API_TOKEN"] = "secret",
        }).Build());
        services.AddDaprClient();
        services.AddDaprClient(_ => throw new InvalidOperationException("There is one already."));
        await using var provider = services.BuildServiceProvider();
        var client = provider.GetRequiredService<DaprClient>();
        Assert.Same(client, provider.GetRequiredService<DaprClient>());
        await client.GetStateAsync<int>("s", "k");
        Assert.True(await client.CheckHealthAsync());
        Assert.Equal("secret", Assert.Single(Sidecar.Grpc).Headers.GetValue("dapr-api-token"));
    }

    [Fact]
    public async Task Options_of_a_registered_client_may_come_from_services()
    {
        var services = new ServiceCollection();
        services.AddSingleton(new Order("from services"));
        services.AddDaprClient((provider, builder) => builder.UseGrpcEndpoint(Sidecar.GrpcEndpoint).UseDaprApiToken(provider.GetRequiredService<Order>().Id));
        await using var provider = services.BuildServiceProvider();
        await provider.GetRequiredService<DaprClient>().GetStateAsync<int>("s", "k");
        Assert.Equal("from services", Assert.Single(Sidecar.Grpc).Headers.GetValue("dapr-api-token"));
    }

    [Theory]
    [InlineData("DAPR_HTTP_ENDPOINT", "https://dapr.example:8443/a/b?c", "https://dapr.example:8443/")]
    [InlineData("DAPR_HTTP_PORT", "3777", "http://localhost:3777/")]
    [InlineData("OTHER", "x", "http://localhost:3500/")]
    public void The_default_address_is_scheme_host_and_port(string name, string value, string address) =>
        Assert.Equal(address, DaprDefaults.GetDefaultHttpEndpoint(new ConfigurationBuilder().AddInMemoryCollection([new(name, value), new(name == "OTHER" ? "DAPR_HTTP_PORT" : "x", "")]).Build()));
}

[ApiController]
[Route("state")]
public sealed class StateController : ControllerBase
{
    [HttpGet("value/{cart}")]
    public string Value([FromState("store")] int cart) => cart.ToString(System.Globalization.CultureInfo.InvariantCulture);

    [HttpGet("entry/{cart}")]
    public string Entry([FromState("store")] StateEntry<int> cart)
    {
        ArgumentNullException.ThrowIfNull(cart);
        return $"{cart.Value} {cart.ETag}";
    }

    [HttpGet("named/{key}")]
    public string Named([FromState("store", "key")] int cart) => cart.ToString(System.Globalization.CultureInfo.InvariantCulture);

    [HttpGet("none")]
    public string None([FromState("store")] StateEntry<int> cart) => "reached";
}
