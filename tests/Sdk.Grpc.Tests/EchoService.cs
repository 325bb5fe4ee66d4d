using Grpc.Core;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

/// <summary>Does for each method what the test gives it; by default it echoes.</summary>
internal sealed class EchoService : Echo.EchoBase
{
    public UnaryServerMethod<Ping, Pong> OnSay { get; set; } = (ping, _) => Task.FromResult(new Pong { Text = ping.Text, Data = ping.Data, Count = ping.Count });

    public ClientStreamingServerMethod<Ping, Pong> OnCollect { get; set; } = async (pings, _) =>
    {
        var pong = new Pong();
        await foreach (var ping in pings.ReadAllAsync())
        {
            pong.Text += ping.Text;
            pong.Count++;
        }

        return pong;
    };

    public ServerStreamingServerMethod<Ping, Pong> OnRepeat { get; set; } = async (ping, pongs, _) =>
    {
        for (var i = 0; i < ping.Count; i++)
            await pongs.WriteAsync(new Pong { Text = ping.Text, Data = ping.Data, Count = i });
    };

    public DuplexStreamingServerMethod<Ping, Pong> OnChat { get; set; } = async (pings, pongs, _) =>
    {
        await foreach (var ping in pings.ReadAllAsync())
            await pongs.WriteAsync(new Pong { Text = ping.Text, Data = ping.Data, Count = ping.Count });
    };

    public override Task<Pong> Say(Ping request, ServerCallContext context) => OnSay(request, context);

    public override Task<Pong> Collect(IAsyncStreamReader<Ping> requestStream, ServerCallContext context) => OnCollect(requestStream, context);

    public override Task Repeat(Ping request, IServerStreamWriter<Pong> responseStream, ServerCallContext context) => OnRepeat(request, responseStream, context);

    public override Task Chat(IAsyncStreamReader<Ping> requestStream, IServerStreamWriter<Pong> responseStream, ServerCallContext context) => OnChat(requestStream, responseStream, context);
}
