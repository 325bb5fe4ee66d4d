using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.DependencyInjection;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class Interceptors
{
    readonly List<string> _log = [];

    [Fact]
    public async Task Client_interceptors_run_in_the_order_given_for_all_kinds_of_calls()
    {
        await using var server = await TestServer.StartAsync();
        var client = new Echo.EchoClient(server.Channel().Intercept(new ClientLog("a", _log), new ClientLog("b", _log)));

        client.Say(new Ping());
        await client.SayAsync(new Ping());
        using (var collect = client.Collect())
        {
            await collect.RequestStream.CompleteAsync();
            await collect;
        }

        using (var repeat = client.Repeat(new Ping { Count = 1 }))
            Assert.True(await repeat.ResponseStream.MoveNext());
        using (var chat = client.Chat())
            await chat.RequestStream.CompleteAsync();

        Assert.Equal(["a blocking Say", "b blocking Say", "a Say", "b Say", "a Collect", "b Collect", "a Repeat", "b Repeat", "a Chat", "b Chat"], _log);
    }

    [Fact]
    public async Task A_header_interceptor_adds_to_each_call_and_not_to_the_callers_metadata()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = $"{context.RequestHeaders.GetValue("dapr-app-id")} {context.RequestHeaders.GetValue("own")}" });
        var client = new Echo.EchoClient(server.Channel().CreateCallInvoker().Intercept(metadata =>
        {
            metadata.Add("dapr-app-id", "orders");
            return metadata;
        }));
        var own = new Metadata { { "own", "1" } };

        Assert.Equal("orders 1", (await client.SayAsync(new Ping(), own)).Text);
        Assert.Equal("orders ", (await client.SayAsync(new Ping())).Text);
        Assert.Single(own);
    }

    [Fact]
    public async Task A_client_interceptor_may_answer_itself()
    {
        await using var server = await TestServer.StartAsync();
        var client = new Echo.EchoClient(server.Channel().Intercept(new Answering()));

        Assert.Equal("cached", (await client.SayAsync(new Ping())).Text);
    }

    [Fact]
    public async Task Server_interceptors_run_in_the_order_registered_for_all_kinds_of_calls()
    {
        await using var server = await TestServer.StartAsync(
            grpc =>
            {
                grpc.Interceptors.Add<ServerLog>("a");
                grpc.Interceptors.Add(typeof(ServerLog), "b");
            },
            build: builder => builder.Services.AddSingleton(_log));
        var client = server.Client;

        await client.SayAsync(new Ping());
        using (var collect = client.Collect())
        {
            await collect.RequestStream.CompleteAsync();
            await collect;
        }

        using (var repeat = client.Repeat(new Ping { Count = 1 }))
            Assert.Single(await repeat.ResponseStream.ReadAllAsync().ToListAsync());
        using (var chat = client.Chat())
        {
            await chat.RequestStream.CompleteAsync();
            Assert.False(await chat.ResponseStream.MoveNext());
        }

        Assert.Equal(["a Say", "b Say", "a Collect", "b Collect", "a Repeat", "b Repeat", "a Chat", "b Chat"], _log);
    }

    [Fact]
    public async Task Interceptors_of_one_service_come_after_those_of_all()
    {
        await using var server = await TestServer.StartAsync(
            grpc => grpc.Interceptors.Add<ServerLog>("all"),
            build: builder =>
            {
                builder.Services.AddSingleton(_log);
                builder.Services.AddGrpc().AddServiceOptions<EchoService>(options =>
                {
                    options.Interceptors.Add<ServerLog>("one");
                    options.MaxReceiveMessageSize = 10;
                });
            });

        await server.Client.SayAsync(new Ping());
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await server.Client.SayAsync(new Ping { Text = "more than ten bytes" }));

        Assert.Equal(["all Say", "one Say"], _log);
        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
    }

    [Fact]
    public async Task A_registered_interceptor_is_taken_from_the_container()
    {
        var single = new ServerLog(_log, "single");
        await using var server = await TestServer.StartAsync(grpc => grpc.Interceptors.Add<ServerLog>(), build: builder => builder.Services.AddSingleton(single));

        await server.Client.SayAsync(new Ping());

        Assert.Equal(["single Say"], _log);
    }

    [Fact]
    public async Task A_server_interceptor_may_turn_exceptions_into_statuses_and_share_state_with_the_handler()
    {
        await using var server = await TestServer.StartAsync(grpc => grpc.Interceptors.Add<Translating>());
        server.Echo.OnSay = (_, context) => throw new KeyNotFoundException((string)context.UserState["who"]);

        Assert.Equal((StatusCode.NotFound, "interceptor"), await StatusOfCalls.FailureOf(server.Client.SayAsync(new Ping())));
    }

    sealed class ClientLog(string name, List<string> log) : Interceptor
    {
        public override TResponse BlockingUnaryCall<TRequest, TResponse>(TRequest request, ClientInterceptorContext<TRequest, TResponse> context, BlockingUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            log.Add($"{name} blocking {context.Method.Name}");
            return continuation(request, context);
        }

        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            log.Add($"{name} {context.Method.Name}");
            return continuation(request, context);
        }

        public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(ClientInterceptorContext<TRequest, TResponse> context, AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation)
        {
            log.Add($"{name} {context.Method.Name}");
            return continuation(context);
        }

        public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation)
        {
            log.Add($"{name} {context.Method.Name}");
            return continuation(request, context);
        }

        public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(ClientInterceptorContext<TRequest, TResponse> context, AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation)
        {
            log.Add($"{name} {context.Method.Name}");
            return continuation(context);
        }
    }

    sealed class Answering : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
            new(Task.FromResult((TResponse)(object)new Pong { Text = "cached" }), Task.FromResult(new Metadata()), () => Status.DefaultSuccess, () => [], () => { });
    }

    sealed class ServerLog(List<string> log, string name) : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            Log(context);
            return continuation(request, context);
        }

        public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
        {
            Log(context);
            return continuation(requestStream, context);
        }

        public override Task ServerStreamingServerHandler<TRequest, TResponse>(TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
        {
            Log(context);
            return continuation(request, responseStream, context);
        }

        public override Task DuplexStreamingServerHandler<TRequest, TResponse>(IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
        {
            Log(context);
            return continuation(requestStream, responseStream, context);
        }

        void Log(ServerCallContext context) => log.Add($"{name} {context.Method.Split('/')[^1]}");
    }

    sealed class Translating : Interceptor
    {
        public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            context.UserState["who"] = "interceptor";
            try
            {
                return await continuation(request, context);
            }
            catch (KeyNotFoundException e)
            {
                throw new RpcException(new Status(StatusCode.NotFound, e.Message));
            }
        }
    }
}
