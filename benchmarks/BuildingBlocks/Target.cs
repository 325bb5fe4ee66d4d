using System.Globalization;
using Grpc.Net.Client;

namespace DaprPlatform.Benchmarks.BuildingBlocks;

/// <summary>One figure. The unit is in the name.</summary>
internal sealed record Row(string Name, double Value, double? P50Ms = null, double? P99Ms = null)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name,-44}{Value,12:N1}{(P50Ms is null ? "" : $"   p50 {P50Ms,7:N2} ms   p99 {P99Ms,7:N2} ms")}");
}

/// <summary>What is measured: the doors of a sidecar (one for each protocol of its app, both the same where the app speaks HTTP only) and of the app.</summary>
internal sealed record Target(int HttpPort, int GrpcPort, int? GrpcAppSidecarPort, int AppHttpPort, int AppGrpcPort, string AppId, string GrpcAppId, int Clients, double Seconds)
{
    public GrpcChannel Channel(int port) => GrpcChannel.ForAddress($"http://127.0.0.1:{port}");

    /// <summary>A short run first, so that the second one measures what has warmed up.</summary>
    public async Task<Row> MeasureAsync(string name, int callers, Func<int, int, Task> operation)
    {
        await Measure.RunAsync(callers, Seconds / 3, operation);
        var (perSecond, p50, p99) = await Measure.RunAsync(callers, Seconds, operation);
        return new Row($"{name} /s", perSecond, p50, p99);
    }
}
