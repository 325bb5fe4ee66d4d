using System.Threading.Channels;
using DaprPlatform.Sidecar.StandIns.Wire;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>A stream server in the stand-in process. Entries are added again when the process was killed under way: at least once.</summary>
internal sealed class RemoteStreamLog : IStreamLog, IAsyncDisposable
{
    private const int LargestBatch = 1000;
    private readonly StreamLogStandIn.StreamLogStandInClient _client;
    private readonly string _address;
    private readonly ILogger _logger;
    private readonly Batcher<StreamAdd, bool> _adds;

    public RemoteStreamLog(StandInConnection connection, string address)
    {
        _client = new StreamLogStandIn.StreamLogStandInClient(connection.Invoker);
        _logger = connection.Logger;
        _address = address;
        _adds = new Batcher<StreamAdd, bool>(AddAllAsync, LargestBatch);
    }

    public async ValueTask AddAsync(IReadOnlyList<StreamAdd> entries, CancellationToken cancellationToken) =>
        await _adds.SendAsync(entries).WaitAsync(cancellationToken).ConfigureAwait(false);

    public async ValueTask<IStreamMember> JoinAsync(string stream, string group, CancellationToken cancellationToken)
    {
        var member = new Member(this, stream, group);
        try
        {
            await member.Joined.WaitAsync(cancellationToken).ConfigureAwait(false);
            return member;
        }
        catch
        {
            await member.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask DisposeAsync() => _adds.DisposeAsync();

    private async Task<IReadOnlyList<bool>> AddAllAsync(IReadOnlyList<StreamAdd> entries)
    {
        var request = new AddRequest { Address = _address };
        foreach (var entry in entries)
        {
            var wire = new AddEntry { Stream = entry.Stream, Value = StandInCalls.Bytes(entry.Value) };
            if (entry.Keep is { } keep)
                wire.Keep = keep;
            wire.Headers.Add(entry.Headers);
            request.Entries.Add(wire);
        }

        await StandInCalls.RepeatAsync(() => _client.AddAsync(request).ResponseAsync).ConfigureAwait(false);
        return new bool[entries.Count];
    }

    /// <summary>
    /// A membership that is taken up again when the process was killed. The new process hands out again what was not acknowledged; entries this member still
    /// works on are left out then, their acknowledgement counts all the same.
    /// </summary>
    private sealed class Member : IStreamMember
    {
        private readonly RemoteStreamLog _log;
        private readonly string _stream;
        private readonly string _group;
        private readonly StandInSession _session;
        private readonly Lock _lock = new();
        private readonly HashSet<long> _held = [];
        private readonly List<long> _late = [];
        private Channel<StreamJoinRequest>? _requests;
        private (int Count, TaskCompletionSource<IReadOnlyList<LogMessage>> Done)? _taking;
        private (StreamJoinRequest Request, TaskCompletionSource<IReadOnlyList<LogMessage>> Done)? _reclaiming;

        public Member(RemoteStreamLog log, string stream, string group)
        {
            _log = log;
            _stream = stream;
            _group = group;
            _session = new StandInSession(log._logger);
            _session.Start(StreamAsync);
        }

        public Task Joined => _session.Joined;

        public async ValueTask<IReadOnlyList<LogMessage>> TakeAsync(int count, CancellationToken cancellationToken)
        {
            while (true)
            {
                var done = new TaskCompletionSource<IReadOnlyList<LogMessage>>(TaskCreationOptions.RunContinuationsAsynchronously);
                lock (_lock)
                {
                    _taking = (count, done);
                    Send(new StreamJoinRequest { Take = count });
                }

                var taken = await done.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
                lock (_lock)
                    taken = [.. taken.Where(e => _held.Add(e.Offset))];
                if (taken.Count > 0)
                    return taken;
            }
        }

        public async ValueTask<IReadOnlyList<LogMessage>> ReclaimAsync(TimeSpan idle, int count, CancellationToken cancellationToken)
        {
            var done = new TaskCompletionSource<IReadOnlyList<LogMessage>>(TaskCreationOptions.RunContinuationsAsynchronously);
            var request = new StreamJoinRequest { Reclaim = new StreamReclaim { IdleMilliseconds = (long)idle.TotalMilliseconds, Count = count } };
            lock (_lock)
            {
                _reclaiming = (request, done);
                Send(request);
            }

            var reclaimed = await done.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            lock (_lock)
                _held.UnionWith(reclaimed.Select(e => e.Offset));
            return reclaimed;
        }

        public void Acknowledge(long offset)
        {
            lock (_lock)
            {
                _held.Remove(offset);
                if (_requests is null)
                    _late.Add(offset);
                else
                    Send(new StreamJoinRequest { Acknowledged = offset });
            }
        }

        public ValueTask DisposeAsync() => _session.DisposeAsync();

        // Under the lock. Between two connections nothing is sent; the next one begins with what was missed.
        private void Send(StreamJoinRequest request) => _requests?.Writer.TryWrite(request);

        private async Task StreamAsync()
        {
            using var call = _log._client.Join();
            await ServeAsync(call).ConfigureAwait(false);
        }

        private async Task ServeAsync(AsyncDuplexStreamingCall<StreamJoinRequest, StreamJoinResponse> call)
        {
            var requests = Channel.CreateUnbounded<StreamJoinRequest>(new UnboundedChannelOptions { SingleReader = true });
            requests.Writer.TryWrite(new StreamJoinRequest { Membership = new StreamMembership { Address = _log._address, Stream = _stream, Group = _group } });
            lock (_lock)
            {
                _requests = requests;
                foreach (var offset in _late)
                    Send(new StreamJoinRequest { Acknowledged = offset });
                _late.Clear();
                if (_taking is { } taking && !taking.Done.Task.IsCompleted)
                    Send(new StreamJoinRequest { Take = taking.Count });
                if (_reclaiming is { } reclaiming && !reclaiming.Done.Task.IsCompleted)
                    Send(reclaiming.Request);
            }

            var writing = WriteAsync(requests.Reader, call.RequestStream);
            using var stop = _session.Leaving.Register(() => requests.Writer.TryComplete());
            try
            {
                while (await call.ResponseStream.MoveNext(CancellationToken.None).ConfigureAwait(false))
                {
                    var response = call.ResponseStream.Current;
                    switch (response.KindCase)
                    {
                        case StreamJoinResponse.KindOneofCase.Ready:
                            _session.SetJoined();
                            break;
                        case StreamJoinResponse.KindOneofCase.Taken:
                            Complete(_taking?.Done, response.Taken);
                            break;
                        case StreamJoinResponse.KindOneofCase.Reclaimed:
                            Complete(_reclaiming?.Done, response.Reclaimed);
                            break;
                    }
                }
            }
            finally
            {
                lock (_lock)
                    _requests = null;
                requests.Writer.TryComplete();
                await writing.ConfigureAwait(false);
            }

            void Complete(TaskCompletionSource<IReadOnlyList<LogMessage>>? waiting, StreamEntries entries) =>
                waiting?.TrySetResult([.. entries.Entries.Select(StandInCalls.FromWire)]);
        }

        private static async Task WriteAsync(ChannelReader<StreamJoinRequest> requests, IClientStreamWriter<StreamJoinRequest> stream)
        {
            try
            {
                await foreach (var request in requests.ReadAllAsync().ConfigureAwait(false))
                    await stream.WriteAsync(request).ConfigureAwait(false);
                await stream.CompleteAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (StandInSession.IsEnd(e))
            {
                // The reading side learns of it too.
            }
        }
    }
}
