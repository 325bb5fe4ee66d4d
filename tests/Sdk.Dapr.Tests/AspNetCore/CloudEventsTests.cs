using System.Net;
using Dapr;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Sdk.Tests.AspNetCore;

public sealed class CloudEventsTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    // What the endpoint saw: type, length, body.
    static Task<TestApp> Echo(CloudEventsMiddlewareOptions? options = null) => TestApp.StartAsync(app =>
    {
        if (options is null)
            app.UseCloudEvents();
        else
            app.UseCloudEvents(options);
        app.MapPost("/", async (HttpContext context) =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync(context.RequestAborted);
            return $"{context.Request.ContentType ?? "-"} {body}";
        });
    });

    [Theory]
    [InlineData("""{"data":{"a":1}}""", """application/json {"a":1}""")]
    [InlineData("""{"data":{"a":12.30,"b":9007199254740993}}""", """application/json {"a":12.30,"b":9007199254740993}""")]
    [InlineData("""{"DATA":[1],"DataContentType":"application/json"}""", "application/json [1]")]
    [InlineData("""{"data":"text","datacontenttype":"application/json"}""", "application/json \"text\"")]
    [InlineData("""{"data":"text"}""", "application/json \"text\"")]
    [InlineData("""{"data":{"a":1},"datacontenttype":"application/vnd.x+json; charset=utf-16"}""", """application/vnd.x+json {"a":1}""")]
    [InlineData("""{"data":"a\nb","datacontenttype":"text/plain; charset=utf-16"}""", "text/plain a\nb")]
    [InlineData("""{"data":5,"datacontenttype":"text/plain"}""", "text/plain 5")]
    [InlineData("""{"data_base64":"aGk=","datacontenttype":"application/octet-stream"}""", "application/octet-stream hi")]
    [InlineData("""{"data_base64":"aGk="}""", "application/json hi")]
    [InlineData("""{"id":"1"}""", "- ")]
    public async Task An_envelope_becomes_its_data(string envelope, string seen)
    {
        await using var app = await Echo();
        using var response = await app.Post("/", envelope, "application/cloudevents+json; charset=utf-8");
        Assert.Equal(seen, await response.Content.ReadAsStringAsync(Token));
    }

    [Theory]
    [InlineData("""{"data":1,"data_base64":"aGk="}""")]
    [InlineData("[]")]
    [InlineData("not json")]
    [InlineData("")]
    [InlineData("""{"data_base64":"%"}""")]
    [InlineData("""{"data_base64":5}""")]
    public async Task A_broken_envelope_is_a_bad_request(string envelope)
    {
        await using var app = await Echo();
        using var response = await app.Post("/", envelope);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/cloudevents-batch+json")]
    [InlineData("application/cloudevents")]
    public async Task Other_requests_are_left_alone(string contentType)
    {
        await using var app = await Echo();
        using var response = await app.Post("/", """{"data":1}""", contentType);
        Assert.Equal($$"""{{contentType}} {"data":1}""", await response.Content.ReadAsStringAsync(Token));
    }

    [Fact]
    public async Task Text_can_stay_a_JSON_string()
    {
        await using var app = await Echo(new CloudEventsMiddlewareOptions { SuppressJsonDecodingOfTextPayloads = true });
        using var response = await app.Post("/", """{"data":"text","datacontenttype":"text/plain"}""");
        Assert.Equal("text/plain \"text\"", await response.Content.ReadAsStringAsync(Token));
    }

    [Fact]
    public async Task The_request_is_put_back_as_it_was()
    {
        string? after = null;
        await using var app = await TestApp.StartAsync(a =>
        {
            a.Use(async (context, next) =>
            {
                var body = context.Request.Body;
                await next(context);
                after = $"{context.Request.ContentType} {context.Request.ContentLength} {ReferenceEquals(body, context.Request.Body)}";
            });
            a.UseCloudEvents();
            a.MapPost("/", () => "");
        });
        using var response = await app.Post("/", """{"data":1}""");
        Assert.Equal("application/cloudevents+json 10 True", after);
    }

    [Theory]
    [InlineData(null, null, "cloudevent.id=1,cloudevent.my=a,cloudevent.num=5")]
    [InlineData(new[] { "ID" }, null, "cloudevent.id=1")]
    [InlineData(null, new[] { "my" }, "cloudevent.id=1,cloudevent.num=5")]
    [InlineData(new[] { "my" }, new[] { "my" }, "cloudevent.my=a")]
    public async Task Attributes_can_become_headers(string[]? included, string[]? excluded, string expected)
    {
        await using var app = await TestApp.StartAsync(a =>
        {
            a.UseCloudEvents(new CloudEventsMiddlewareOptions
            {
                ForwardCloudEventPropertiesAsHeaders = true,
                IncludedCloudEventPropertiesAsHeaders = included,
                ExcludedCloudEventPropertiesFromHeaders = excluded,
            });
            a.MapPost("/", (HttpContext c) => string.Join(",", c.Request.Headers.Where(h => h.Key.StartsWith("Cloudevent.", StringComparison.Ordinal)).Select(h => $"{h.Key.ToLowerInvariant()}={h.Value}").Order(StringComparer.Ordinal)));
        });
        using var response = await app.Post("/", """{"Id":"1","my":"a","num":5,"data":1,"datacontenttype":"application/json","pubsubname":"p","traceparent":"t"}""");
        Assert.Equal(expected, await response.Content.ReadAsStringAsync(Token));
    }

    sealed record Order(string Id, int Count);

    [Fact]
    public async Task A_handler_takes_the_data_as_its_parameter()
    {
        await using var app = await TestApp.StartAsync(a =>
        {
            a.UseCloudEvents();
            a.MapPost("/orders", (Order order) => $"{order.Id}:{order.Count}").WithTopic("pubsub", "orders");
        });
        using var response = await app.Post("/orders", """{"specversion":"1.0","id":"e1","data":{"id":"o1","count":3},"datacontenttype":"application/json"}""");
        Assert.Equal("o1:3", await response.Content.ReadAsStringAsync(Token));
    }
}
