using DaprPlatform.Sidecar.Actors.Wire;
using DaprPlatform.Sidecar.StandIns;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Actors.Placement;

/// <summary>
/// Placement in the stand-in process of the machine. A membership outlives its connection: it joins the next process again, and until then the last table is in force.
/// </summary>
internal sealed class RemotePlacement(StandInConnection connection, string address) : IPlacement
{
    private readonly PlacementStandIn.PlacementStandInClient _client = new(connection.Invoker);

    public async ValueTask<IPlacementMembership> JoinAsync(string @namespace, ActorHost host, IPlacementListener listener, CancellationToken cancellationToken)
    {
        var membership = new Membership(_client, connection, address, @namespace, host, listener);
        try
        {
            await membership.Ready.WaitAsync(cancellationToken).ConfigureAwait(false);
            return membership;
        }
        catch
        {
            await membership.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private sealed class Membership : IPlacementMembership
    {
        private readonly PlacementStandIn.PlacementStandInClient _client;
        private readonly string _address;
        private readonly string _namespace;
        private readonly IPlacementListener _listener;
        private readonly StandInSession _session;
        private readonly SemaphoreSlim _writing = new(1);
        private readonly Lock _lock = new();
        private ActorHost _host;
        private IClientStreamWriter<PlacementRequest>? _stream;
        private (long Number, TaskCompletionSource Done) _report;

        public Membership(PlacementStandIn.PlacementStandInClient client, StandInConnection connection, string address, string @namespace, ActorHost host, IPlacementListener listener)
        {
            _client = client;
            _address = address;
            _namespace = @namespace;
            _host = host;
            _listener = listener;
            _report = (0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            _report.Done.SetResult();
            _session = new StandInSession(connection.Logger);
            _session.Start(StreamAsync);
        }

        public Task Ready => _session.Joined;

        public async Task ReportAsync(IReadOnlyList<string> types, CancellationToken cancellationToken)
        {
            PlacementRequest request;
            Task done;
            lock (_lock)
            {
                // A report takes the place of one that is not in force yet.
                var before = _report.Done;
                _host = _host with { Types = types };
                _report = (_report.Number + 1, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                _report.Done.Task.ContinueWith(_ => before.TrySetResult(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
                request = Report();
                done = _report.Done.Task;
            }

            await WriteAsync(request).ConfigureAwait(false);
            await done.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        public ValueTask DisposeAsync() => _session.DisposeAsync();

        private PlacementRequest Report()
        {
            var report = new PlacementReport { Number = _report.Number };
            report.Types_.AddRange(_host.Types);
            return new PlacementRequest { Report = report };
        }

        private async Task StreamAsync()
        {
            try
            {
                using var call = _client.Join(cancellationToken: _session.Leaving);
                await StayAsync(call, again: _session.HasJoined).ConfigureAwait(false);
            }
            finally
            {
                lock (_lock)
                    _stream = null;
            }
        }

        private async Task StayAsync(AsyncDuplexStreamingCall<PlacementRequest, PlacementResponse> call, bool again)
        {
            PlacementRequest? pending = null;
            var join = new PlacementJoin { Address = _address, Namespace = _namespace, Again = again };
            lock (_lock)
            {
                join.Host = PlacementService.ToWire(_host);
                if (!_report.Done.Task.IsCompleted)
                    pending = Report();
            }

            await call.RequestStream.WriteAsync(new PlacementRequest { Join = join }).ConfigureAwait(false);
            if (pending is not null)
                await call.RequestStream.WriteAsync(pending).ConfigureAwait(false);
            PlacementRequest? missed = null;
            lock (_lock)
            {
                _stream = call.RequestStream;
                if (!_report.Done.Task.IsCompleted && _report.Number != (pending?.Report.Number ?? 0))
                    missed = Report();
            }

            if (missed is not null)
                await WriteAsync(missed).ConfigureAwait(false);
            while (await call.ResponseStream.MoveNext(_session.Leaving).ConfigureAwait(false))
            {
                switch (call.ResponseStream.Current)
                {
                    case { KindCase: PlacementResponse.KindOneofCase.Prepare, Prepare: var prepare }:
                        await _listener.PrepareAsync(PlacementService.FromWire(prepare)).ConfigureAwait(false);
                        await WriteAsync(new PlacementRequest { Prepared = prepare.Version }).ConfigureAwait(false);
                        break;
                    case { KindCase: PlacementResponse.KindOneofCase.Commit, Commit: var commit }:
                        // A server that has just begun knows nobody yet: until it does, the last table stays.
                        if (!again || commit.Version > 0)
                            _listener.Commit(PlacementService.FromWire(commit));
                        _session.SetJoined();
                        break;
                    case { KindCase: PlacementResponse.KindOneofCase.Reported, Reported: var number }:
                        lock (_lock)
                        {
                            if (_report.Number <= number)
                                _report.Done.TrySetResult();
                        }

                        break;
                }
            }
        }

        // What is not written because the connection has gone is said again at the next join.
        private async Task WriteAsync(PlacementRequest request)
        {
            await _writing.WaitAsync().ConfigureAwait(false);
            try
            {
                IClientStreamWriter<PlacementRequest>? stream;
                lock (_lock)
                    stream = _stream;
                if (stream is not null)
                    await stream.WriteAsync(request).ConfigureAwait(false);
            }
            catch (Exception e) when (StandInSession.IsEnd(e))
            {
                // The reading side notices it too and joins again.
            }
            finally
            {
                _writing.Release();
            }
        }
    }
}
