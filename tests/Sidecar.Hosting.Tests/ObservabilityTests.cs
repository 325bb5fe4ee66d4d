using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Observability;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class ObservabilityTests
{
    private const string Parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    [Fact]
    public async Task Errors_are_counted_by_their_codes_over_both_protocols()
    {
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("memory", "state.in-memory")], configuration: "metrics: {recordErrorCodes: true}");
        using var channel = Channel(sidecar);

        await sidecar.SendAsync("GET", "/v1.0/state/none/k");
        await sidecar.SendAsync("POST", "/v1.0/state/memory", "{");
        await sidecar.SendAsync("POST", "/v1.0/state/memory", """[{"key":"a||b","value":1}]""");
        await sidecar.SendAsync("POST", "/v1.0/bindings/none", """{"operation":"create"}""");
        await sidecar.SendAsync("GET", "/nowhere");
        await Assert.ThrowsAsync<RpcException>(() => new Dapr.Proto.Runtime.V1.Dapr.DaprClient(channel).InvokeBindingAsync(new InvokeBindingRequest { Name = "none", Operation = "create" }).ResponseAsync);
        await Assert.ThrowsAsync<RpcException>(() => new Dapr.Proto.Runtime.V1.Dapr.DaprClient(channel).GetStateAsync(new GetStateRequest { StoreName = "none", Key = "k" }).ResponseAsync);

        var metrics = await sidecar.MetricsAsync();
        Assert.Equal(
            [
                "binding ERR_INVOKE_OUTPUT_BINDING 2", "common ERR_MALFORMED_REQUEST 1", "service-invocation ERR_DIRECT_INVOKE 1", "state DAPR_STATE_NOT_FOUND 1", "state ERR_MALFORMED_REQUEST 1",
                "state ERR_STATE_STORE_NOT_FOUND 1",
            ],
            metrics.Split('\n').Where(l => l.StartsWith("dapr_error_code_total{", StringComparison.Ordinal)).Select(l => l.Split('"')).Select(p => $"{p[3]} {p[5]} {p[6].Split(' ')[1]}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Series_have_the_labels_of_the_reference()
    {
        var broken = RunningSidecar.Component("broken", "state.none").Replace("spec:", "spec:\n  ignoreErrors: true", StringComparison.Ordinal);
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("echo", "conversation.echo"), broken]);

        await sidecar.SendAsync("POST", "/v1.0-alpha1/conversation/echo/converse", """{"inputs":[{"content":"x"}]}""");

        var metrics = await sidecar.MetricsAsync();
        Assert.Contains("""dapr_component_conversation_count{app_id="hosted",component="echo",namespace="",success="true"} 1""", metrics, StringComparison.Ordinal);
        Assert.Contains("""dapr_runtime_component_init_fail_total{app_id="hosted",component="state.none",componentName="broken",reason="init"} 1""", metrics, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("deny", HttpStatusCode.Forbidden, "blocked")]
    [InlineData("allow", HttpStatusCode.OK, "allowed")]
    public async Task What_access_control_decides_is_counted(string action, HttpStatusCode status, string counted)
    {
        await using var app = await StandInApp.StartAsync();
        app.On("/m");
        await using var caller = await RunningSidecar.StartAsync([]);
        await using var callee = await RunningSidecar.StartAsync([], app.Port, $"accessControl: {{defaultAction: {action}}}", o => o with { AppId = "callee" }, beside: caller);

        Assert.Equal(status, (await caller.SendAsync("GET", "/v1.0/invoke/callee/method/m")).Status);

        var series = (await callee.MetricsAsync()).Split('\n').Where(l => l.StartsWith("dapr_runtime_acl_", StringComparison.Ordinal));
        Assert.Equal([$"dapr_runtime_acl_global_policy_action_{counted}_total{{app_id=\"callee\"}} 1"], series);
        Assert.DoesNotContain("dapr_runtime_acl_", await caller.MetricsAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("traceparent")]
    [InlineData("Traceparent")]
    public async Task An_output_binding_passes_the_sidecars_trace_on_whatever_its_metadata_say(string name)
    {
        await using var app = await StandInApp.StartAsync();
        var seen = new ConcurrentQueue<string>();
        app.Answers["/target"] = context =>
        {
            seen.Enqueue(context.Request.Headers.TraceParent.ToString());
            return Task.CompletedTask;
        };
        var binding = RunningSidecar.Component("web", "bindings.http", ("url", $"http://127.0.0.1:{app.Port}/target"));
        await using var sidecar = await RunningSidecar.StartAsync([binding], configuration: "tracing: {samplingRate: '1'}");
        using var channel = Channel(sidecar);
        var other = Parent.Replace("4bf92f", "aaaaaa", StringComparison.Ordinal);

        await sidecar.SendAsync("POST", "/v1.0/bindings/web", $$$"""{"operation":"get","metadata":{"{{{name}}}":"{{{other}}}"}}""", headers: ("traceparent", Parent));
        await new Dapr.Proto.Runtime.V1.Dapr.DaprClient(channel).InvokeBindingAsync(new InvokeBindingRequest { Name = "web", Operation = "get", Metadata = { [name] = other } }, new Metadata { { "traceparent", Parent } });

        Assert.All(seen, s => Assert.Equal(Parent[..36], s[..36]));
        Assert.All(seen, s => Assert.NotEqual(Parent, s));
        Assert.Equal(2, seen.Count);
    }

    [Fact]
    public async Task Baggage_is_refused_where_it_is_malformed_and_given_back_where_it_is_not()
    {
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("memory", "state.in-memory")]);
        using var channel = Channel(sidecar);
        var client = new Dapr.Proto.Runtime.V1.Dapr.DaprClient(channel);
        var request = new GetStateRequest { StoreName = "memory", Key = "k" };

        var refused = await Assert.ThrowsAsync<RpcException>(() => client.GetStateAsync(request, new Metadata { { "baggage", "no members" } }).ResponseAsync);
        using var taken = client.GetStateAsync(request, new Metadata { { "baggage", "user=ann,tier=gold" } });

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Equal("user=ann,tier=gold", (await taken.ResponseHeadersAsync).GetValue("baggage"));
        Assert.Equal(HttpStatusCode.BadRequest, (await sidecar.SendAsync("GET", "/v1.0/state/memory/k", headers: ("baggage", "no members"))).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await sidecar.SendAsync("GET", "/v1.0/state/memory/k", headers: ("baggage", string.Join(',', Enumerable.Range(0, 181).Select(i => $"k{i}=v"))))).Status);
    }

    [Theory]
    [InlineData("a=b", true)]
    [InlineData("a=b;p;q=1, c = d%20e ;", true)]
    [InlineData("a=", true)]
    [InlineData("a=b=c", true)]
    [InlineData("a", false)]
    [InlineData("=b", false)]
    [InlineData("a=b,", false)]
    [InlineData("a=b;=c", false)]
    [InlineData("a=b;p q", false)]
    [InlineData("a b=c", false)]
    [InlineData("a=b c", false)]
    [InlineData("a=%zz", false)]
    [InlineData("a=%2", false)]
    [InlineData("a=é", false)]
    public void Baggage_is_read_as_OpenTelemetry_reads_it(string baggage, bool isValid) => Assert.Equal(isValid, HttpSpans.IsBaggage(baggage));

    [Fact]
    public void A_member_of_baggage_has_a_longest_length()
    {
        Assert.True(HttpSpans.IsBaggage("a=" + new string('x', 4094)));
        Assert.False(HttpSpans.IsBaggage("a=" + new string('x', 4095)));
    }

    [Fact]
    public async Task Spans_reach_a_collector_of_OTLP_with_the_headers_of_the_Configuration()
    {
        await using var collector = await StandInApp.StartAsync();
        var seen = new ConcurrentQueue<(string Key, string ContentType, byte[] Body)>();
        collector.Answers["/v1/traces"] = async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            seen.Enqueue((context.Request.Headers["x-key"].ToString(), context.Request.ContentType ?? "", body.ToArray()));
        };
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("memory", "state.in-memory")],
            configuration: $"tracing: {{samplingRate: '1', otel: {{endpointAddress: '127.0.0.1:{collector.Port}', protocol: http, isSecure: false, headers: 'x-key=abc,other=1'}}}}");

        await sidecar.SendAsync("GET", "/v1.0/state/memory/k", headers: ("traceparent", Parent));
        await RunningSidecar.UntilAsync(() => Task.FromResult(!seen.IsEmpty), "spans at the collector");

        var (key, type, bytes) = seen.First();
        Assert.Equal(("abc", "application/x-protobuf"), (key, type));
        var text = Encoding.Latin1.GetString(bytes);
        Assert.Contains("/v1.0/state/memory/k", text, StringComparison.Ordinal);
        // All attributes are texts: field 2 of the pair is a value whose field 1 is the port.
        var port = sidecar.Sidecar.Options.HttpPort.ToString(System.Globalization.CultureInfo.InvariantCulture);
        Assert.Contains($"server.port\x12{(char)(port.Length + 2)}\x0a{(char)port.Length}{port}", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1.0/publish/broker/raw?metadata.rawPayload=true", true)]
    [InlineData("/v1.0/publish/broker/raw?metadata.rawPayload=true&metadata.traceparent=" + Parent, false)]
    public async Task A_raw_message_keeps_its_trace_in_its_metadata(string path, bool byHeader)
    {
        await using var app = await StandInApp.StartAsync();
        var seen = new TaskCompletionSource<(string Header, JsonNode Event)>(TaskCreationOptions.RunContinuationsAsynchronously);
        app.On("/dapr/subscribe", """[{"pubsubname":"broker","topic":"raw","route":"/raw","metadata":{"rawPayload":"true"}}]""");
        app.Answers["/raw"] = async context => seen.TrySetResult((context.Request.Headers.TraceParent.ToString(), (await JsonNode.ParseAsync(context.Request.Body))!));
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("broker", "pubsub.in-memory")], app.Port, "tracing: {samplingRate: '1'}");

        await sidecar.SendAsync("POST", path, "text", "text/plain", byHeader ? [("traceparent", Parent)] : []);
        var (header, @event) = await seen.Task.WaitAsync(RunningSidecar.Patience);

        Assert.Equal(Parent[..36], header[..36]);
        var inside = @event["traceparent"]!.GetValue<string>();
        Assert.Equal(Parent[..36], inside[..36]);
        Assert.Equal(inside, @event["traceid"]!.GetValue<string>());
        Assert.NotEqual(inside, header);
        Assert.Equal(!byHeader, inside == Parent);
    }

    [Fact]
    public async Task A_proxied_call_has_a_span_at_each_sidecar_and_the_app_is_below_both()
    {
        await using var collector = await StandInApp.StartAsync();
        var spans = new ConcurrentQueue<JsonNode>();
        collector.Answers["/api/v2/spans"] = async context =>
        {
            foreach (var span in (await JsonNode.ParseAsync(context.Request.Body))!.AsArray())
                spans.Enqueue(span!);
        };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var port = DaprSidecar.FreePort();
        builder.WebHost.ConfigureKestrel(k => k.ListenLocalhost(port, l => l.Protocols = HttpProtocols.Http2));
        await using var app = builder.Build();
        var seen = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        app.MapPost("/shop.v1.Basket/Add", context =>
        {
            seen.TrySetResult(context.Request.Headers.TraceParent.ToString());
            context.Response.ContentType = "application/grpc";
            context.Response.Headers["grpc-status"] = "0";
            return Task.CompletedTask;
        });
        await app.StartAsync();
        var tracing = $"tracing: {{samplingRate: '1', zipkin: {{endpointAddress: 'http://127.0.0.1:{collector.Port}/api/v2/spans'}}}}";
        await using var caller = await RunningSidecar.StartAsync([], configuration: tracing);
        await using var callee = await RunningSidecar.StartAsync([], port, tracing, o => o with { AppId = "callee", AppProtocol = AppProtocol.Grpc }, beside: caller);

        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{caller.Sidecar.Options.GrpcPort}/shop.v1.Basket/Add")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent([0, 0, 0, 0, 0]),
        };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/grpc");
        request.Headers.TryAddWithoutValidation("te", "trailers");
        request.Headers.TryAddWithoutValidation("dapr-app-id", "callee");
        request.Headers.TryAddWithoutValidation("traceparent", Parent);
        using var answer = await http.SendAsync(request).WaitAsync(RunningSidecar.Patience);
        var atApp = (await seen.Task.WaitAsync(RunningSidecar.Patience)).Split('-')[2];
        await RunningSidecar.UntilAsync(() => Task.FromResult(spans.Count >= 2), "two spans");

        var client = spans.Single(s => s["kind"]!.GetValue<string>() == "CLIENT");
        var server = spans.Single(s => s["kind"]!.GetValue<string>() == "SERVER");
        Assert.Equal(("/shop.v1.basket/add", "/shop.v1.basket/add"), (client["name"]!.GetValue<string>(), server["name"]!.GetValue<string>()));
        Assert.Equal(("hosted", "callee"), (client["localEndpoint"]!["serviceName"]!.GetValue<string>(), server["localEndpoint"]!["serviceName"]!.GetValue<string>()));
        Assert.Equal(Parent.Split('-')[2], client["parentId"]!.GetValue<string>());
        Assert.Equal(client["id"]!.GetValue<string>(), server["parentId"]!.GetValue<string>());
        Assert.Equal(server["id"]!.GetValue<string>(), atApp);
        Assert.Equal("/shop.v1.Basket/Add", server["tags"]!["dapr.api"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("/orders/", "/orders/{$}")]
    [InlineData("/orders/7", "/orders/{id}")]
    [InlineData("/orders/new", "/orders/new")]
    [InlineData("/orders/7/items", "/orders/{id}/{rest...}")]
    [InlineData("/other", "")]
    public void Paths_of_metrics_are_matched_as_by_Gos_ServeMux(string path, string pattern) =>
        Assert.Equal(pattern, new PathMatcher(["/orders/{$}", "/orders/{id}", "/orders/new", "/orders/{id}/{rest...}"]).Match(path));

    private static GrpcChannel Channel(RunningSidecar sidecar) => GrpcChannel.ForAddress($"http://127.0.0.1:{sidecar.Sidecar.Options.GrpcPort}");
}
