using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.OpsConsole.Traces;
using Google.Protobuf;

namespace DaprPlatform.OpsConsole.Tests;

/// <summary>Spans come in as an OpenTelemetry exporter sends them, and go out as a picture of one order.</summary>
public sealed class TraceTests
{
    private const string Order = "11111111-2222-3333-4444-555555555555";
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Spans_of_several_services_are_one_trace(bool compressed)
    {
        await using var world = await ConsoleWorld.StartAsync();
        var trace = new string('a', 32);
        Assert.Equal(HttpStatusCode.OK, await SendAsync(world, Message("orders", Span(trace, "2", "1", "POST /orders", 2, 10, 80, ("url.path", $"/api/v1/orders/{Order}"), ("password", "hunter2"))), compressed));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(world, Message("payments", Span(trace, "3", "2", "charge", 2, 20, 60, error: "declined")), compressed));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(world, Message("gateway", Span(trace, "1", null, "POST", 2, 0, 100)), compressed));
        // Sent again because the answer was lost.
        Assert.Equal(HttpStatusCode.OK, await SendAsync(world, Message("gateway", Span(trace, "1", null, "POST", 2, 0, 100)), compressed));

        var list = await world.Http.GetFromJsonAsync<JsonNode>("/api/v1/traces", ConsoleWorld.Cancel);
        var summary = Assert.Single(list!["items"]!.AsArray());
        Assert.Equal(["gateway", "orders", "payments"], summary!["services"]!.AsArray().Select(s => (string?)s));
        Assert.Equal(("gateway", 100d, 3, 1, Order), ((string?)summary["rootService"], (double)summary["ms"]!, (int)summary["spans"]!, (int)summary["errors"]!, (string?)summary["orderId"]));

        var view = (await world.Http.GetFromJsonAsync<JsonNode>($"/api/v1/traces/{trace}", ConsoleWorld.Cancel))!;
        var spans = view["spans"]!.AsArray();
        Assert.Equal([0d, 10d, 20d], spans.Select(s => (double)s!["offsetMs"]!));
        Assert.Equal(("error", "declined"), ((string?)spans[2]!["status"], (string?)spans[2]!["message"]));
        Assert.Equal("server", (string?)spans[0]!["kind"]);
        Assert.Equal("***", (string?)spans[1]!["attributes"]!["password"]);
        foreach (var (query, count) in ((string, int)[])[($"order={Order}", 1), ("order=other", 0), ("service=payments", 1), ("service=users", 0), ("minMs=101", 0), ("errors=true", 1), ("text=CHARGE", 1), ("text=refund", 0)])
        {
            var found = await world.Http.GetFromJsonAsync<JsonNode>($"/api/v1/traces?{query}", ConsoleWorld.Cancel);
            Assert.True(count == found!["items"]!.AsArray().Count, query);
        }

        using var missing = await world.Http.GetAsync($"/api/v1/traces/{new string('b', 32)}", ConsoleWorld.Cancel);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Fact]
    public async Task Spans_are_taken_only_with_the_token_of_this_stack_and_only_when_they_are_spans()
    {
        await using var world = await ConsoleWorld.StartAsync();
        var message = Message("orders", Span(new string('a', 32), "1", null, "x", 2, 0, 1));
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(world, message, false, token: "wrong"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await SendAsync(world, message, false, type: "application/json"));
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync(world, [0x0A, 0xFF, 0xFF], false));
        var bomb = new MemoryStream();
        using (var zip = new GZipStream(bomb, CompressionLevel.Fastest, leaveOpen: true))
            zip.Write(new byte[20 << 20]);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await SendAsync(world, bomb.ToArray(), false, encoding: "gzip"));
        Assert.Equal(0, world.System.Traces.Count);
    }

    [Fact]
    public void The_oldest_traces_go_when_there_are_too_many_or_they_are_too_large()
    {
        var store = new TraceStore(null, mostTraces: 10, mostBytes: 100_000);
        for (var i = 0; i < 25; i++)
            store.Add([Received($"{i:x32}", "1", "name")]);
        Assert.Equal(10, store.Count);
        Assert.Equal($"{24:x32}", store.List(new TraceFilter(null, null, null, null, false), null, 100).Items[0].TraceId);
        store.Add([Received(new string('f', 32), "1", new string('x', 60_000))]);
        Assert.InRange(store.Bytes, 1, 130_000);
        Assert.Equal(1, store.Count);

        var first = store.List(new TraceFilter(null, null, null, null, false), null, 1);
        Assert.Single(first.Items);
        for (var i = 0; i < 3000; i++)
            store.Add([Received(new string('e', 32), $"{i:x16}", "n")]);
        var view = store.Find(new string('e', 32))!;
        Assert.True(view.Spans.Count <= 2000 && view.Dropped > 0);
    }

    [Fact]
    public void Only_the_id_of_an_order_makes_a_trace_that_of_an_order()
    {
        const string order = "0b9cb3f0-5a3b-4f0e-9d0e-0a3a4f3f9f11";
        const string other = "7e1d1f1c-0d2c-4c52-8d4e-6a6b7f6c1a22";
        Assert.Null(OrderOf(("webhooks", "durabletask.task.instance_id", other), ("payments.daprd", "durabletask.task.instance_id", other)));
        Assert.Equal(order, OrderOf(("webhooks.daprd", "durabletask.task.instance_id", other), ("orders.daprd", "durabletask.task.instance_id", order)));
        Assert.Equal(order, OrderOf(("orders", "durabletask.task.instance_id", other), ("gateway", "url.path", $"/api/v1/orders/{order}/events")));
        Assert.Null(OrderOf(("orders", "durabletask.task.instance_id", "cancel-1"), ("gateway", "url.path", "/api/v1/orders/latest")));
    }

    [Fact]
    public async Task A_new_trace_is_told_to_those_who_look()
    {
        await using var world = await ConsoleWorld.StartAsync();
        await using var page = await ServerEvents.OpenAsync(world, "/api/v1/stream?topics=traces");
        await SendAsync(world, Message("orders", Span(new string('c', 32), "1", null, "x", 2, 0, 1)), false);
        var told = await page.NextAsync();
        Assert.Equal("traces", told.Name);
        Assert.Contains(new string('c', 32), told.Data, StringComparison.Ordinal);
    }

    private static string? OrderOf(params (string Service, string Name, string Value)[] spans)
    {
        var store = new TraceStore();
        store.Add([.. spans.Select((s, i) => new ReceivedSpan(new string('a', 32), $"{i:x16}", null, s.Service, "work", SpanKindName.Server, 1_000_000, 2_000_000, SpanStatus.Unset, null, [new(s.Name, s.Value)]))]);
        return store.Find(new string('a', 32))!.OrderId;
    }

    private static ReceivedSpan Received(string trace, string id, string name) => new(trace, id, null, "orders", name, SpanKindName.Server, 1_000_000, 2_000_000, SpanStatus.Unset, null, []);

    private static async Task<HttpStatusCode> SendAsync(ConsoleWorld world, byte[] message, bool compressed, string? token = null, string type = "application/x-protobuf", string? encoding = null)
    {
        if (compressed)
        {
            using var buffer = new MemoryStream();
            using (var zip = new GZipStream(buffer, CompressionLevel.Fastest, leaveOpen: true))
                zip.Write(message);
            (message, encoding) = (buffer.ToArray(), "gzip");
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/traces") { Content = new ByteArrayContent(message) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        if (encoding is not null)
            request.Content.Headers.ContentEncoding.Add(encoding);
        request.Headers.Add(TraceCollector.TokenHeader, token ?? world.System.Collector.Token);
        using var response = await world.Http.SendAsync(request, ConsoleWorld.Cancel);
        return response.StatusCode;
    }

    // Field numbers of opentelemetry-proto, written here independently of what reads them.
    private static byte[] Message(string service, byte[] span) => Nested(o =>
        Put(o, 1, Nested(resourceSpans =>
        {
            Put(resourceSpans, 2, Nested(scopeSpans => Put(scopeSpans, 2, span)));
            Put(resourceSpans, 1, Nested(resource => Put(resource, 1, Attribute("service.name", service))));
        })));

    private static byte[] Span(string trace, string id, string? parent, string name, int kind, int fromMs, int toMs, params (string Name, string Value)[] attributes) => Span(trace, id, parent, name, kind, fromMs, toMs, null, attributes);

    private static byte[] Span(string trace, string id, string? parent, string name, int kind, int fromMs, int toMs, string? error, params (string Name, string Value)[] attributes) => Nested(o =>
    {
        Put(o, 1, Convert.FromHexString(trace));
        Put(o, 2, Convert.FromHexString(id.PadLeft(16, '0')));
        if (parent is not null)
            Put(o, 4, Convert.FromHexString(parent.PadLeft(16, '0')));
        Put(o, 5, global::System.Text.Encoding.UTF8.GetBytes(name));
        o.WriteTag(6, WireFormat.WireType.Varint);
        o.WriteEnum(kind);
        foreach (var (field, ms) in ((int, int)[])[(7, fromMs), (8, toMs)])
        {
            o.WriteTag(field, WireFormat.WireType.Fixed64);
            o.WriteFixed64((ulong)Start.AddMilliseconds(ms).ToUnixTimeMilliseconds() * 1_000_000);
        }

        foreach (var (key, value) in attributes)
            Put(o, 9, Attribute(key, value));
        // A field of a newer version.
        Put(o, 99, [1, 2, 3]);
        if (error is not null)
        {
            Put(o, 15, Nested(s =>
            {
                Put(s, 2, global::System.Text.Encoding.UTF8.GetBytes(error));
                s.WriteTag(3, WireFormat.WireType.Varint);
                s.WriteEnum(2);
            }));
        }
    });

    private static byte[] Attribute(string name, string value) => Nested(o =>
    {
        Put(o, 1, global::System.Text.Encoding.UTF8.GetBytes(name));
        Put(o, 2, Nested(v => Put(v, 1, global::System.Text.Encoding.UTF8.GetBytes(value))));
    });

    private static void Put(CodedOutputStream output, int field, byte[] bytes)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(bytes));
    }

    private static byte[] Nested(Action<CodedOutputStream> write)
    {
        using var buffer = new MemoryStream();
        using (var output = new CodedOutputStream(buffer, leaveOpen: true))
            write(output);
        return buffer.ToArray();
    }
}
