using DaprPlatform.Sidecar.Hosting;
using Grpc.AspNetCore.Server;

namespace DaprPlatform.Sidecar.StandIns;

/// <summary>
/// The servers that components name and this machine stands in for, by kind and address. In one process with the sidecars they are objects of the engine;
/// for sidecars that are processes of their own they live in the machine's stand-in process, and what is got here is a client of it.
/// </summary>
internal interface IStandIns : IAsyncDisposable
{
    /// <summary>The server of a kind at an address; the same one for all who ask with the same address (see <see cref="StandInAddress"/>).</summary>
    /// <exception cref="StandInException">The stand-in process cannot be started.</exception>
    ValueTask<T> GetAsync<T>(StandInKind<T> kind, string address, CancellationToken cancellationToken = default) where T : class;
}

/// <summary>Where a server keeps its data, in the process that serves it.</summary>
/// <param name="Directory">A folder of its own; not made yet.</param>
internal sealed record StandInPlace(string Address, string Directory, Engine Engine);

/// <summary>A kind of server; all kinds are listed in <see cref="StandInKinds"/>.</summary>
/// <param name="name">Name of its folder.</param>
internal abstract class StandInKind(string name)
{
    public string Name => name;

    /// <summary>Its gRPC face in the stand-in process.</summary>
    internal abstract GrpcMethodTable Serve(LocalStandIns servers, GrpcServiceOptions options);
}

/// <inheritdoc cref="StandInKind"/>
/// <param name="open">Makes the server of one address in this process; disposed with the engine if it is disposable.</param>
/// <param name="serve">Makes the gRPC service that offers the servers of this kind to other processes; every request names its address.</param>
/// <param name="connect">Makes the client of an address.</param>
internal sealed class StandInKind<T>(string name, Func<StandInPlace, ValueTask<T>> open, Func<StandInServers<T>, GrpcServiceOptions, GrpcMethodTable> serve, Func<StandInConnection, string, T> connect)
    : StandInKind(name)
    where T : class
{
    internal ValueTask<T> OpenAsync(StandInPlace place) => open(place);

    internal T Connect(StandInConnection connection, string address) => connect(connection, address);

    internal override GrpcMethodTable Serve(LocalStandIns servers, GrpcServiceOptions options) => serve(new StandInServers<T>(servers, this), options);
}

/// <summary>The servers of one kind, for its gRPC service.</summary>
internal sealed class StandInServers<T>(LocalStandIns servers, StandInKind<T> kind) where T : class
{
    public ValueTask<T> GetAsync(string address) => servers.GetAsync(kind, address);
}

/// <summary>The stand-in process cannot be reached or started; the message says why.</summary>
internal sealed class StandInException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Addresses of servers as components write them.</summary>
internal static class StandInAddress
{
    /// <summary>One form for all ways to write the same list of hosts: trimmed, lower case, without repeats, in order; <c>localhost</c> is 127.0.0.1.</summary>
    public static string Of(string hosts, int defaultPort)
    {
        var all = hosts.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(h =>
        {
            var host = h.ToLowerInvariant();
            if (host.IndexOf("://", StringComparison.Ordinal) is var scheme and >= 0)
                host = host[(scheme + 3)..];
            host = host.TrimEnd('/');
            var colon = host.LastIndexOf(':');
            var (name, port) = colon < 0 || host.EndsWith(']') ? (host, defaultPort.ToString(System.Globalization.CultureInfo.InvariantCulture)) : (host[..colon], host[(colon + 1)..]);
            return $"{(name is "localhost" or "[::1]" or "" ? "127.0.0.1" : name)}:{port}";
        });
        return string.Join(',', all.Distinct().Order(StringComparer.Ordinal));
    }
}
