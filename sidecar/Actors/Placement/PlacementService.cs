using System.Collections.Concurrent;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Actors.Wire;
using DaprPlatform.Sidecar.StandIns;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Actors.Placement;

/// <summary>Offers placement to other processes: a call to Join is a membership for as long as it lasts.</summary>
internal sealed class PlacementService(StandInServers<IPlacement> servers) : PlacementStandIn.PlacementStandInBase
{
    public override async Task Join(IAsyncStreamReader<PlacementRequest> requestStream, IServerStreamWriter<PlacementResponse> responseStream, ServerCallContext context)
    {
        if (!await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false) || requestStream.Current.Join is not { } join)
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the first message must be a join"));
        var placement = (PlacementServer)await servers.GetAsync(join.Address).ConfigureAwait(false);
        var listener = new Listener();
        var writing = listener.WriteAsync(responseStream);
        try
        {
            var host = new ActorHost(join.Host.Id, join.Host.AppId, join.Host.Address, [.. join.Host.Types_]);
            await using var membership = await placement.JoinAsync(join.Namespace, host, listener, join.Again, context.CancellationToken).ConfigureAwait(false);
            while (await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false))
            {
                switch (requestStream.Current)
                {
                    case { KindCase: PlacementRequest.KindOneofCase.Report, Report: var report }:
                        _ = ReportAsync(membership, report, listener);
                        break;
                    case { KindCase: PlacementRequest.KindOneofCase.Prepared, Prepared: var version }:
                        listener.Prepared(version);
                        break;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The sidecar has gone; it leaves the table.
        }
        finally
        {
            listener.End();
            await writing.ConfigureAwait(false);
        }
    }

    private static async Task ReportAsync(IPlacementMembership membership, PlacementReport report, Listener listener)
    {
        await membership.ReportAsync([.. report.Types_], CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        listener.Write(new PlacementResponse { Reported = report.Number });
    }

    private sealed class Listener : IPlacementListener
    {
        private readonly Channel<PlacementResponse> _answers = Channel.CreateUnbounded<PlacementResponse>(new UnboundedChannelOptions { SingleReader = true });
        private readonly ConcurrentDictionary<long, TaskCompletionSource> _preparing = new();
        private volatile bool _ended;

        public Task PrepareAsync(PlacementTable next)
        {
            var done = _preparing.GetOrAdd(next.Version, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            Write(new PlacementResponse { Prepare = ToWire(next) });
            if (_ended)
                Prepared(next.Version);
            return done.Task;
        }

        public void Commit(PlacementTable table) => Write(new PlacementResponse { Commit = ToWire(table) });

        public void Prepared(long version)
        {
            if (_preparing.TryRemove(version, out var done))
                done.TrySetResult();
        }

        public void Write(PlacementResponse response) => _answers.Writer.TryWrite(response);

        public void End()
        {
            _ended = true;
            _answers.Writer.TryComplete();
            foreach (var version in _preparing.Keys)
                Prepared(version);
        }

        public async Task WriteAsync(IServerStreamWriter<PlacementResponse> stream)
        {
            try
            {
                await foreach (var answer in _answers.Reader.ReadAllAsync().ConfigureAwait(false))
                    await stream.WriteAsync(answer).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException or RpcException)
            {
                // The sidecar has gone; the reading side ends the membership.
            }
        }
    }

    private static PlacementTableMessage ToWire(PlacementTable table)
    {
        var wire = new PlacementTableMessage { Version = table.Version };
        wire.Hosts.AddRange(table.Hosts.Select(ToWire));
        return wire;
    }

    public static PlacementHost ToWire(ActorHost host)
    {
        var wire = new PlacementHost { Id = host.Id, AppId = host.AppId, Address = host.Address };
        wire.Types_.AddRange(host.Types);
        return wire;
    }

    public static PlacementTable FromWire(PlacementTableMessage wire) =>
        new(wire.Version, [.. wire.Hosts.Select(h => new ActorHost(h.Id, h.AppId, h.Address, [.. h.Types_]))]);
}
