using System.Text;
using Google.Protobuf;
using Grpc.Core;

namespace DaprPlatform.Benchmarks.BuildingBlocks;

/// <summary>What the way through the sidecar adds to a call of the app, one call at a time; and how many calls go through it.</summary>
internal static class InvokeLoad
{
    private static readonly string Body = $"{{\"text\":\"{new string('x', 200)}\"}}";

    public static async Task<IReadOnlyList<Row>> RunAsync(Target target)
    {
        var rows = new List<Row>();
        var direct = Connection.Request("POST", "/ping", Body);
        var through = Connection.Request("POST", $"/v1.0/invoke/{target.AppId}/method/ping", Body);
        rows.AddRange(await CompareAsync("invoke, HTTP", target,
            () => Http(target.AppHttpPort, direct), () => Http(target.HttpPort, through)));
        if (target.GrpcAppSidecarPort is { } sidecar)
        {
            var ping = new PingMessage { Payload = ByteString.CopyFrom(Encoding.UTF8.GetBytes(Body)) };
            rows.AddRange(await CompareAsync("invoke, gRPC proxy", target,
                () => Grpc(target, target.AppGrpcPort, ping, []), () => Grpc(target, sidecar, ping, new Metadata { { "dapr-app-id", target.GrpcAppId } })));
        }

        return rows;
    }

    private static async Task<IReadOnlyList<Row>> CompareAsync(string name, Target target, Func<Caller> direct, Func<Caller> through)
    {
        using var straight = direct();
        using var one = through();
        // Both ways in turn, so that what else the machine does falls on both.
        await Measure.RunAsync(1, target.Seconds / 3, async (_, _) =>
        {
            await straight.CallAsync();
            await one.CallAsync();
        });
        var without = await Measure.RunAsync(1, target.Seconds / 2, (_, _) => straight.CallAsync());
        var with = await Measure.RunAsync(1, target.Seconds / 2, (_, _) => one.CallAsync());
        var callers = Enumerable.Range(0, target.Clients).Select(_ => through()).ToList();
        var all = await target.MeasureAsync($"{name}, {target.Clients} clients", target.Clients, (caller, _) => callers[caller].CallAsync());
        callers.ForEach(c => c.Dispose());
        return [new Row($"{name}: added ms at p50", with.P50 - without.P50, with.P50, with.P99), all];
    }

    private static Caller Http(int port, byte[] request)
    {
        var connection = new Connection(port);
        return new Caller(() => connection.CallAsync(request), connection);
    }

    private static Caller Grpc(Target target, int port, PingMessage ping, Metadata headers)
    {
        var channel = target.Channel(port);
        var client = new Echo.EchoClient(channel);
        return new Caller(async () => await client.PingAsync(ping, headers), channel);
    }

    private sealed class Caller(Func<Task> call, IDisposable connection) : IDisposable
    {
        public Task CallAsync() => call();

        public void Dispose() => connection.Dispose();
    }
}
