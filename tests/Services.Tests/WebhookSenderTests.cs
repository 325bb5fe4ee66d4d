using System.Net;
using DaprPlatform.Webhooks.Domain;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>Signatures, and what a call to an address does and does not do, against a real server.</summary>
public sealed class WebhookSenderTests : IAsyncLifetime
{
    private static readonly SignedBody Body = new("DLV-1", DateTimeOffset.FromUnixTimeSeconds(1_700_000_000), "v1,abc", """{"a":"ä"}""");
    private readonly WebApplication _server = CreateServer();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Url => _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    public async ValueTask InitializeAsync()
    {
        _server.MapPost("/echo", async (HttpContext context) =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            var headers = context.Request.Headers;
            return headers["webhook-id"] == Body.Id && headers["webhook-timestamp"] == "1700000000" && headers["webhook-signature"] == Body.Signature && body == Body.Body
                ? Results.NoContent()
                : Results.BadRequest();
        });
        _server.MapPost("/elsewhere", () => Results.Redirect("/echo", permanent: false, preserveMethod: true));
        _server.MapPost("/broken", () => Results.StatusCode(503));
        await _server.StartAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _server.DisposeAsync();
    }

    // Of the specification's own libraries.
    [Fact]
    public void A_signature_is_that_of_the_specification() =>
        Assert.Equal(
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            WebhookSignature.Sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek", DateTimeOffset.FromUnixTimeSeconds(1_614_265_330), """{"test": 2432232314}""", [Convert.FromBase64String("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]));

    [Theory]
    [InlineData("/echo", 204, null)]
    [InlineData("/broken", 503, "answered 503")]
    [InlineData("/elsewhere", 307, "answered 307")]
    public async Task A_body_arrives_with_its_signature_and_the_answer_counts(string path, int status, string? error)
    {
        using var sender = new HttpWebhookSender(new WebhookOptions(AllowPrivate: true), TimeProvider.System);
        Assert.Equal(new Attempt(status, error), await sender.SendAsync(Url + path, Body, Cancel));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("10.1.2.3")]
    [InlineData("93.184.215.14", "192.168.1.1")]
    [InlineData("::1")]
    public async Task A_name_that_leads_inside_is_not_called(params string[] addresses)
    {
        using var sender = new HttpWebhookSender(new WebhookOptions(AllowPrivate: false), TimeProvider.System, (_, _) => Task.FromResult(addresses.Select(IPAddress.Parse).ToArray()));
        Assert.Equal(new Attempt(0, "shop.example leads into a private network."), await sender.SendAsync(Url.Replace("127.0.0.1", "shop.example", StringComparison.Ordinal) + "/echo", Body, Cancel));
    }

    [Fact]
    public async Task Nobody_there_is_a_failure_with_a_reason()
    {
        using var sender = new HttpWebhookSender(new WebhookOptions(AllowPrivate: true), TimeProvider.System);
        var attempt = await sender.SendAsync("http://127.0.0.1:1/", Body, Cancel);
        Assert.Equal(0, attempt.Status);
        Assert.NotEmpty(attempt.Error!);
    }

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("172.15.255.255", true)]
    [InlineData("172.16.0.1", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("::", false)]
    [InlineData("fc00::1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("2002:a00:1::", false)]
    [InlineData("64:ff9b::a00:1", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    public void An_address_is_public_or_not(string address, bool isPublic) => Assert.Equal(isPublic, AddressGuard.IsPublic(IPAddress.Parse(address)));

    private static WebApplication CreateServer()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        return builder.Build();
    }
}
