using System.Buffers;
using System.Text;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;

namespace Sdk.Grpc.Tests;

public sealed class CustomMarshallers
{
    static readonly Method<string, string> Arrays = new(MethodType.Unary, "custom.Strings", "Arrays", Marshallers.StringMarshaller, Marshallers.StringMarshaller);
    static readonly Method<string, string> Unmeasured = new(MethodType.Unary, "custom.Strings", "Unmeasured", Text(announce: null), Text(announce: null));
    static readonly Method<string, string> Lying = new(MethodType.Unary, "custom.Strings", "Lying", Text(announce: 0), Text(announce: 3));
    static readonly Method<string, string> Broken = new(MethodType.Unary, "custom.Strings", "Broken", Text(announce: 0), Marshallers.Create<string>(
        (_, _) => throw new FormatException("cannot be written"),
        _ => ""));

    [Fact]
    public async Task Marshallers_over_arrays_work_on_both_sides()
    {
        await using var server = await StartAsync();

        Assert.Equal("größer", await Call(server, Arrays, "größer"));
        Assert.Equal("", await Call(server, Arrays, ""));
    }

    [Fact]
    public async Task Marshallers_that_do_not_know_the_length_before_work_on_both_sides()
    {
        await using var server = await StartAsync();

        Assert.Equal(new string('x', 100_000), await Call(server, Unmeasured, new string('x', 100_000)));
        Assert.Equal("", await Call(server, Unmeasured, ""));
    }

    [Fact]
    public async Task A_response_that_is_not_as_long_as_it_says_breaks_the_call_and_not_the_connection()
    {
        await using var server = await StartAsync();

        Assert.NotEqual(StatusCode.OK, (await Assert.ThrowsAsync<RpcException>(() => Call(server, Lying, "five!"))).StatusCode);
        Assert.Equal("fine", await Call(server, Arrays, "fine"));
    }

    [Fact]
    public async Task A_response_that_cannot_be_serialized_is_a_failure_of_the_handler()
    {
        await using var server = await StartAsync();

        Assert.Equal((StatusCode.Unknown, "Exception was thrown by handler."), await StatusOf(Call(server, Broken, "")));
    }

    static async Task<(StatusCode, string)> StatusOf(Task<string> call)
    {
        var failure = await Assert.ThrowsAsync<RpcException>(() => call);
        return (failure.StatusCode, failure.Status.Detail);
    }

    static Task<string> Call(TestServer server, Method<string, string> method, string request) =>
        server.Channel().CreateCallInvoker().AsyncUnaryCall(method, null, default, request).ResponseAsync;

    static Task<TestServer> StartAsync()
    {
        var table = GrpcMethodTable.Create(new Strings());
        return TestServer.StartAsync(map: app => app.Run(http => table.TryGet(http.Request.Path.Value!, out var handler) ? handler(http) : Task.CompletedTask));
    }

    static Marshaller<string> Text(int? announce) => Marshallers.Create<string>(
        (text, context) =>
        {
            if (announce is { } length)
                context.SetPayloadLength(length);
            context.GetBufferWriter().Write(Encoding.UTF8.GetBytes(text));
            context.Complete();
        },
        context => Encoding.UTF8.GetString(context.PayloadAsReadOnlySequence()));

    [BindServiceMethod(typeof(Strings), nameof(BindService))]
    sealed class Strings
    {
        public static void BindService(ServiceBinderBase binder, Strings? service)
        {
            foreach (var method in (Method<string, string>[])[CustomMarshallers.Arrays, CustomMarshallers.Unmeasured, CustomMarshallers.Lying, CustomMarshallers.Broken])
                binder.AddMethod(method, service is null ? null : new UnaryServerMethod<string, string>((request, _) => Task.FromResult(request)));
        }

        public Task<string> Arrays(string request, ServerCallContext context) => Task.FromResult(request);

        public Task<string> Unmeasured(string request, ServerCallContext context) => Task.FromResult(request);

        public Task<string> Lying(string request, ServerCallContext context) => Task.FromResult(request);

        public Task<string> Broken(string request, ServerCallContext context) => Task.FromResult(request);
    }
}
