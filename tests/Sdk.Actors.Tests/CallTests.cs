using System.Net;
using System.Security.Authentication;
using System.Text.Json;
using Dapr;
using Dapr.Actors;
using Dapr.Actors.Client;
using Dapr.Actors.Communication;
using Dapr.Actors.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Sdk.Actors.Tests;

public class CallTests
{
    private static readonly ActorId C1 = new("c1");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Methods_are_called_by_name_with_json()
    {
        await using var app = await StartAsync();
        var cart = app.Proxies.Create(C1, "CartActor");

        Assert.Equal(2, await cart.InvokeMethodAsync<Item, int>("TwoAsync", new Item { Id = "1", Qty = 2 }, Stop));
        Assert.Equal(1, await cart.InvokeMethodAsync<int>("OneAsync", Stop));
        await cart.InvokeMethodAsync("NothingAsync", Stop);
        Assert.Null(await cart.InvokeMethodAsync<string?, string?>("EchoAsync", null, Stop));
        Assert.Equal(new Line("a", 3), await cart.InvokeMethodAsync<Line, Line>("LineAsync", new Line("a", 2), Stop));
        var calls = app.Sidecar.Requests.ToArray();
        Assert.Equal(("PUT", "/v1.0/actors/CartActor/c1/method/TwoAsync", "application/json; charset=utf-8", "{\"id\":\"1\",\"qty\":2}"), (calls[0].Verb, calls[0].Path, calls[0].ContentType, calls[0].Body));
        Assert.Equal((null, ""), (calls[1].ContentType, calls[1].Body));
        Assert.DoesNotContain(RemoteHeaders.Request, calls[0].Headers.Keys);
    }

    [Fact]
    public async Task A_call_by_name_that_fails_is_an_error_of_the_sidecar()
    {
        await using var app = await StartAsync();
        var cart = app.Proxies.Create(C1, "CartActor");

        var failure = await Assert.ThrowsAsync<DaprApiException>(() => cart.InvokeMethodAsync("FailAsync", "broken", Stop));
        Assert.Equal("ERR_ACTOR_INVOKE_METHOD", failure.ErrorCode);
        await Assert.ThrowsAsync<DaprApiException>(() => cart.InvokeMethodAsync("Ghost", Stop));
        await Assert.ThrowsAsync<DaprApiException>(() => cart.InvokeMethodAsync("AddAsync", "takes two", Stop));
        await Assert.ThrowsAsync<DaprApiException>(() => app.Proxies.Create(C1, "Ghost").InvokeMethodAsync("OneAsync", Stop));
    }

    [Fact]
    public async Task Interfaces_speak_json_when_they_are_told_to()
    {
        await using var app = await StartAsync(json: true);
        var cart = app.Proxies.CreateActorProxy<ICartActor>(C1, "CartActor");

        Assert.Equal(2, await cart.TwoAsync(new Item { Id = "1", Qty = 2 }));
        Assert.Equal(1, await cart.OneAsync());
        var call = app.Sidecar.Requests.First();
        Assert.Equal(("application/octet-stream; charset=utf-8", "{\"value\":{\"o\":{\"id\":\"1\",\"qty\":2}}}"), (call.ContentType, call.Body));
        Assert.Equal("", app.Sidecar.Requests.Last().Body);
    }

    [Fact]
    public async Task The_app_answers_in_the_form_of_the_call()
    {
        await using var app = await StartAsync(json: true);
        var header = RemoteHeaders.WriteRequest(RemoteInterface.Of(typeof(ICartActor)).Methods.Single(method => method.Name == "TwoAsync"), C1, "CartActor");

        var answer = await app.PutAsync("/actors/CartActor/c1/method/TwoAsync", """{"value":{"ignored":[1],"O":{"qty":5}}}""", (RemoteHeaders.Request, header));
        Assert.Equal("""{"value":{"retVal":5}}""", await answer.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public void Header_and_ids_are_those_of_the_official_sdk()
    {
        var method = RemoteInterface.Of(typeof(ICartActor)).Methods.Single(method => method.Name == "TwoAsync");
        var header = RemoteHeaders.WriteRequest(method, C1, "CartActor");

        Assert.Equal((-1721936430, 1351865854), (method.InterfaceId, method.MethodId));
        Assert.StartsWith(
            """<z:anyType i:type="a:ActorHeader" xmlns:z="http://schemas.microsoft.com/2003/10/Serialization/" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:a="urn:actors"><a:MethodId>1351865854</a:MethodId><a:InterfaceId>-1721936430</a:InterfaceId><a:ActorId xmlns:b="http://schemas.datacontract.org/2004/07/Dapr.Actors"><b:ActorId>c1</b:ActorId></a:ActorId><a:CallContext>""",
            header);
        Assert.EndsWith(
            """</a:CallContext><a:Headers xmlns:b="http://schemas.microsoft.com/2003/10/Serialization/Arrays"/><a:MethodName>TwoAsync</a:MethodName><a:ActorType>CartActor</a:ActorType></z:anyType>""",
            header);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Interfaces_carry_any_number_of_arguments_in_both_forms(bool json)
    {
        await using var app = await StartAsync(json);
        var cart = app.Proxies.CreateActorProxy<ICartExtrasToo>(new ActorId("naïve id+1"), "CartActor");

        await cart.AddAsync("tea", 2, Stop);
        await cart.AddAsync("tea", 1, Stop);
        await cart.AddAsync("milk", 1, Stop);
        Assert.Equal(new Dictionary<string, int> { ["tea"] = 3, ["milk"] = 1 }, await cart.ListAsync(Stop));
        Assert.Null(await cart.EchoAsync(null));
        Assert.Equal("ø", await cart.EchoAsync("ø"));
        Assert.Equal("naïve id+1", await cart.WhoAsync());
        await cart.NothingAsync();
        Assert.Equal(7, await app.Proxies.CreateActorProxy<ICartActor>(C1, "CartActor").TwoAsync(new Item { Qty = 7 }));
    }

    [Fact]
    public async Task Records_without_an_empty_constructor_need_json()
    {
        await using var binary = await StartAsync();
        await Assert.ThrowsAsync<System.Runtime.Serialization.InvalidDataContractException>(() =>
            binary.Proxies.CreateActorProxy<ICartExtras>(C1, "CartActor").LineAsync(new Line("a", 1)));

        await using var json = await StartAsync(json: true);
        Assert.Equal(new Line("a", 2), await json.Proxies.CreateActorProxy<ICartExtras>(C1, "CartActor").LineAsync(new Line("a", 1)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_method_throws_reaches_the_caller_of_its_interface(bool json)
    {
        await using var app = await StartAsync(json);
        var cart = app.Proxies.CreateActorProxy<ICartExtras>(C1, "CartActor");

        var failure = await Assert.ThrowsAsync<ActorMethodInvocationException>(() => cart.FailAsync("bröken"));
        Assert.StartsWith("Remote Actor Method Exception,  DETAILS: Exception: InvalidOperationException, Method Name: ", failure.Message);
        var inner = Assert.IsType<ActorInvokeException>(failure.InnerException);
        Assert.Equal(("bröken", "System.InvalidOperationException"), (inner.Message, inner.ActualExceptionType));
    }

    [Fact]
    public async Task A_call_can_be_given_up()
    {
        await using var app = await StartAsync();
        using var stop = new CancellationTokenSource();
        app.Sidecar.Override = _ =>
        {
            stop.Cancel();
            throw new OperationCanceledException(stop.Token);
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => app.Proxies.CreateActorProxy<ICartExtras>(C1, "CartActor").ListAsync(stop.Token));
    }

    [Fact]
    public async Task Errors_of_the_sidecar_tell_their_code_and_refusals_are_their_own()
    {
        await using var app = await StartAsync();
        var cart = app.Proxies.Create(C1, "CartActor");

        app.Sidecar.Override = _ => StandInSidecar.Answer(HttpStatusCode.BadRequest, """{"errorCode":"ERR_X","message":"because"}""");
        var failure = await Assert.ThrowsAsync<DaprApiException>(() => cart.InvokeMethodAsync("OneAsync", Stop));
        Assert.Equal(("ERR_X", "because", false), (failure.ErrorCode, failure.Message, failure.IsTransient));
        app.Sidecar.Override = _ => StandInSidecar.Answer(HttpStatusCode.ServiceUnavailable, "busy");
        Assert.True((await Assert.ThrowsAsync<DaprApiException>(() => cart.InvokeMethodAsync("OneAsync", Stop))).IsTransient);
        app.Sidecar.Override = _ => StandInSidecar.Answer(HttpStatusCode.Forbidden);
        await Assert.ThrowsAsync<AuthenticationException>(() => cart.InvokeMethodAsync("OneAsync", Stop));
    }

    [Fact]
    public async Task Every_request_carries_the_token_and_who_asks()
    {
        await using var app = await App.StartAsync(options =>
        {
            options.DaprApiToken = "secret";
            options.HttpEndpoint = "http://sidecar:3500/";
            options.Actors.RegisterActor<CartActor>();
        }, services => services.AddSingleton<Journal>());
        await app.Proxies.CreateActorProxy<ICartExtras>(C1, "CartActor").AddAsync("tea", 1, Stop);

        Assert.Equal(["method", "state", "state"], app.Sidecar.Requests.Select(request => request.Path.Split('/')[5]));
        Assert.All(app.Sidecar.Requests, request =>
        {
            Assert.Equal("secret", request.Headers["dapr-api-token"]);
            Assert.StartsWith("dapr-sdk-dotnet/v", request.Headers["User-Agent"]);
        });
    }

    [Theory]
    [InlineData(typeof(IReturnsValue))]
    [InlineData(typeof(IOverloaded))]
    [InlineData(typeof(IGeneric))]
    [InlineData(typeof(IByReference))]
    [InlineData(typeof(IEarlyCancellation))]
    [InlineData(typeof(IDisposable))]
    [InlineData(typeof(CartActor))]
    public void Interfaces_that_cannot_be_called_remotely_are_refused(Type type) =>
        Assert.Throws<ArgumentException>(() => new ActorProxyFactory().CreateActorProxy(C1, type, "CartActor"));

    [Fact]
    public void A_reference_names_the_actor_behind_a_proxy()
    {
        var reference = ActorReference.Get(new ActorProxyFactory().CreateActorProxy<ICartActor>(C1, "CartActor"));

        Assert.Equal((C1, "CartActor"), (reference.ActorId, reference.ActorType));
        var bound = Assert.IsAssignableFrom<ICartActor>(reference.Bind(typeof(ICartActor)));
        Assert.Equal(C1, ((IActorProxy)bound).ActorId);
        Assert.Throws<ArgumentException>(() => ActorReference.Get("x"));
    }

    [Fact]
    public void Ids_are_strings_in_json_and_equal_by_value()
    {
        Assert.Equal("{\"id\":\"c1\"}", JsonSerializer.Serialize(new { id = C1 }));
        Assert.Equal(C1, JsonSerializer.Deserialize<ActorId>("\"c1\""));
        Assert.True(new ActorId("c1") == C1 && new ActorId("C1") != C1);
        Assert.Throws<ArgumentException>(() => new ActorId(" "));
    }

    [Fact]
    public async Task The_sidecar_is_told_the_configuration()
    {
        await using var app = await App.StartAsync(options =>
        {
            options.Actors.RegisterActor<CartActor>();
            options.Actors.RegisterActor<CartActor>("X", new ActorRuntimeOptions { ActorIdleTimeout = TimeSpan.FromDays(2), ReentrancyConfig = new() { Enabled = true } });
            options.ActorIdleTimeout = TimeSpan.FromMinutes(90);
            options.ActorScanInterval = TimeSpan.FromSeconds(30);
            options.DrainOngoingCallTimeout = TimeSpan.FromMilliseconds(60_500);
            options.DrainRebalancedActors = true;
            options.RemindersStoragePartitions = 7;
            options.ReentrancyConfig = new() { Enabled = true, MaxStackDepth = 32 };
        });

        var answer = await app.Http.GetAsync("/dapr/config", Stop);
        Assert.Equal("application/json", answer.Content.Headers.ContentType!.ToString());
        Assert.Equal(
            """{"entities":["CartActor","X"],"actorIdleTimeout":"1h30m0s0ms","actorScanInterval":"0h0m30s0ms","drainOngoingCallTimeout":"0h1m0s500ms","drainRebalancedActors":true,"remindersStoragePartitions":7,"reentrancy":{"enabled":true,"maxStackDepth":32},"entitiesConfig":[{"entities":["X"],"actorIdleTimeout":"48h0m0s0ms","reentrancy":{"enabled":true}}]}""",
            await answer.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public async Task Without_options_the_sidecar_is_told_the_names_only()
    {
        await using var app = await App.StartAsync(options => options.Actors.RegisterActor<NamedActor>());

        Assert.Equal("""{"entities":["Named"],"reentrancy":{"enabled":false}}""", await app.Http.GetStringAsync("/dapr/config", Stop));
    }

    [Fact]
    public async Task The_apps_own_health_endpoint_wins()
    {
        await using var plain = await StartAsync();
        Assert.Equal("Healthy", await plain.Http.GetStringAsync("/healthz", Stop));
        await using var own = await App.StartAsync(_ => { }, map: app => app.MapGet("/healthz", () => Results.Text("mine")));
        Assert.Equal("mine", await own.Http.GetStringAsync("/healthz", Stop));
    }

    [Fact]
    public void A_class_that_cannot_be_an_actor_is_refused_when_it_is_registered()
    {
        var actors = new ActorRuntimeOptions().Actors;
        actors.RegisterActor<CartActor>();

        Assert.Throws<ArgumentException>(() => actors.RegisterActor<CartActor>());
        Assert.Throws<ArgumentException>(() => actors.RegisterActor<AbstractActor>());
        Assert.Throws<ArgumentException>(() => actors.RegisterActor<ActorWithoutInterface>());
        Assert.Throws<ArgumentOutOfRangeException>(() => new ActorRuntimeOptions { ActorIdleTimeout = TimeSpan.Zero });
    }

    private static Task<App> StartAsync(bool json = false) => App.StartAsync(
        options =>
        {
            options.UseJsonSerialization = json;
            options.Actors.RegisterActor<CartActor>();
        },
        services => services.AddSingleton<Journal>());

    public interface IReturnsValue : IActor
    {
        int Get();
    }

    public interface IOverloaded : IActor
    {
        Task GetAsync();

        Task GetAsync(int number);
    }

    public interface IGeneric : IActor
    {
        Task GetAsync<T>();
    }

    public interface IByReference : IActor
    {
        Task GetAsync(ref int number);
    }

    public interface IEarlyCancellation : IActor
    {
        Task GetAsync(CancellationToken cancellationToken, int number);
    }

    [Actor(TypeName = "Named")]
    private sealed class NamedActor(ActorHost host) : Actor(host), ICartActor
    {
        public Task<int> OneAsync() => Task.FromResult(1);

        public Task<int> TwoAsync(Item o) => Task.FromResult(2);
    }

    private abstract class AbstractActor(ActorHost host) : Actor(host);

    private sealed class ActorWithoutInterface(ActorHost host) : Actor(host);
}
