using System.Text;
using System.Text.Json;

namespace DaprPlatform.Sidecar.PubSub.Tests;

public sealed class CloudEventTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);

    [Fact]
    public void The_envelope_of_json_is_written_to_the_byte() => Assert.Equal(
        """{"data":{"a":1.10,"b":"\u003c\u0026\u003e é"},"datacontenttype":"application/json","id":"my-id","pubsubname":"ps","source":"app","specversion":"1.0","time":"2026-01-02T03:04:05Z","topic":"t","traceid":"","traceparent":"","tracestate":"","type":"com.dapr.event.sent"}""",
        Create("""{ "b": "<&> é", "a": 1.10 }""", "application/json", ("cloudevent.id", "my-id")));

    [Fact]
    public void Text_and_bytes_have_their_forms()
    {
        Assert.StartsWith("""{"data":"plain","datacontenttype":"text/plain",""", Create("plain", ""), StringComparison.Ordinal);
        Assert.StartsWith("""{"data_base64":"cGxhaW4=","datacontenttype":"application/octet-stream",""", Create("plain", "application/octet-stream"), StringComparison.Ordinal);
        Assert.StartsWith("""{"data":"{\"a\":","datacontenttype":"application/json",""", Create("{\"a\":", "application/json"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("100", true)]
    [InlineData("0", true)]
    [InlineData("-1", false)]
    [InlineData("soon", false)]
    public void A_time_to_live_makes_an_expiration(string seconds, bool expires) =>
        Assert.Equal(expires, Create("1", "application/json", ("ttlInSeconds", seconds)).Contains("\"expiration\"", StringComparison.Ordinal));

    [Fact]
    public void An_envelope_of_the_app_keeps_its_attributes_and_gets_those_it_lacks() => Assert.Equal(
        """{"custom":"x","data":1,"id":"e1","pubsubname":"ps","source":"/shop","specversion":"1.0","time":"2026-01-02T03:04:05Z","topic":"t","traceid":"","traceparent":"","tracestate":"","type":"order"}""",
        Create("""{"type":"order","source":"/shop","id":"e1","topic":"mine","custom":"x","data":1}""", "application/cloudevents+json"));

    [Theory]
    [InlineData("{\"specversion\":")]
    [InlineData("[]")]
    [InlineData("{} {}")]
    public void A_broken_envelope_is_refused(string envelope) => Assert.ThrowsAny<JsonException>(() => Create(envelope, "application/cloudevents+json"));

    [Theory]
    [InlineData("not json", false)]
    [InlineData("7", false)]
    [InlineData("{\"a\":1}", true)]
    [InlineData("{\"a\":1}x", false)]
    public void Only_an_object_is_an_event(string text, bool isEvent) => Assert.Equal(isEvent, CloudEventReader.TryReadHead(Encoding.UTF8.GetBytes(text), out _));

    private static string Create(string data, string contentType, params (string Name, string Value)[] metadata) => Encoding.UTF8.GetString(CloudEvents.Create(new CloudEvents.Input(
        "ps", "t", "app", Encoding.UTF8.GetBytes(data), contentType, metadata.ToDictionary(m => m.Name, m => m.Value), default, Now, WritesExpiration: true)));
}
