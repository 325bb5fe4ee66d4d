using System.Threading.Channels;
using DaprPlatform.Sidecar.StandIns.Wire;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>A log server in the stand-in process. Appends are repeated when the process was killed under way: at least once, as a Kafka client with retries.</summary>
internal sealed class RemoteMessageLog : IMessageLog, IAsyncDisposable
{
    private const int LargestBatch = 1000;
    private readonly MessageLogStandIn.MessageLogStandInClient _client;
    private readonly string _address;
    private readonly ILogger _logger;
    private readonly Batcher<LogAppend, string?> _appends;

    public RemoteMessageLog(StandInConnection connection, string address)
    {
        _client = new MessageLogStandIn.MessageLogStandInClient(connection.Invoker);
        _logger = connection.Logger;
        _address = address;
        _appends = new Batcher<LogAppend, string?>(AppendAllAsync, LargestBatch);
    }

    public async ValueTask<int> PartitionsAsync(string topic, CancellationToken cancellationToken)
    {
        var request = new PartitionsRequest { Address = _address, Topic = topic };
        var response = await StandInCalls.RepeatAsync(() => _client.PartitionsAsync(request, cancellationToken: cancellationToken).ResponseAsync, cancellationToken).ConfigureAwait(false);
        return response.Error.Length == 0 ? response.Count : throw new LogException(response.Error);
    }

    public async ValueTask<IReadOnlyList<string?>> AppendAsync(IReadOnlyList<LogAppend> messages, CancellationToken cancellationToken) =>
        await _appends.SendAsync(messages).WaitAsync(cancellationToken).ConfigureAwait(false);

    public async ValueTask<IAsyncDisposable> JoinAsync(LogMembership membership, LogConsumer consumer, CancellationToken cancellationToken)
    {
        var member = new Member(this, membership, consumer);
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

    public ValueTask DisposeAsync() => _appends.DisposeAsync();

    private async Task<IReadOnlyList<string?>> AppendAllAsync(IReadOnlyList<LogAppend> messages)
    {
        var request = new AppendRequest { Address = _address };
        foreach (var message in messages)
        {
            var wire = new AppendMessage { Topic = message.Topic };
            if (message.Key is { } key)
                wire.Key = key;
            if (message.Value is { } value)
                wire.Value = StandInCalls.Bytes(value);
            if (message.Partition is { } partition)
                wire.Partition = partition;
            wire.Headers.Add(message.Headers);
            request.Messages.Add(wire);
        }

        var response = await StandInCalls.RepeatAsync(() => _client.AppendAsync(request).ResponseAsync).ConfigureAwait(false);
        return [.. response.Errors.Select(e => e.Length == 0 ? null : e)];
    }

    /// <summary>A membership that is taken up again when the process was killed.</summary>
    private sealed class Member : IAsyncDisposable
    {
        private readonly RemoteMessageLog _log;
        private readonly LogMembership _membership;
        private readonly LogConsumer _consumer;
        private readonly StandInSession _session;

        public Member(RemoteMessageLog log, LogMembership membership, LogConsumer consumer)
        {
            _log = log;
            _membership = membership;
            _consumer = consumer;
            _session = new StandInSession(log._logger);
            _session.Start(StreamAsync);
        }

        public Task Joined => _session.Joined;

        public ValueTask DisposeAsync() => _session.DisposeAsync();

        private async Task StreamAsync()
        {
            using var call = _log._client.Join();
            await new Session(this, call).RunAsync().ConfigureAwait(false);
        }

        private sealed class Session(Member member, AsyncDuplexStreamingCall<JoinRequest, JoinResponse> call)
        {
            private readonly Channel<JoinRequest> _requests = Channel.CreateUnbounded<JoinRequest>(new UnboundedChannelOptions { SingleReader = true });
            private readonly Dictionary<int, (Reader Reader, CancellationTokenSource Revoked, Task Running)> _partitions = [];

            public async Task RunAsync()
            {
                var writing = WriteAsync();
                Send(new JoinRequest
                {
                    Membership = new JoinMembership { Address = member._log._address, Group = member._membership.Group, Topic = member._membership.Topic, FromOldest = member._membership.FromOldest },
                });
                using var stop = member._session.Leaving.Register(() => _ = LeaveAsync());
                try
                {
                    while (await call.ResponseStream.MoveNext(CancellationToken.None).ConfigureAwait(false))
                        Take(call.ResponseStream.Current);
                }
                finally
                {
                    await EndAllAsync().ConfigureAwait(false);
                    _requests.Writer.TryComplete();
                    await writing.ConfigureAwait(false);
                }
            }

            public void Send(JoinRequest request) => _requests.Writer.TryWrite(request);

            private void Take(JoinResponse response)
            {
                switch (response.KindCase)
                {
                    case JoinResponse.KindOneofCase.Ready when response.Ready.Error.Length > 0:
                        throw new LogException(response.Ready.Error);
                    case JoinResponse.KindOneofCase.Ready:
                        member._session.SetJoined();
                        break;
                    case JoinResponse.KindOneofCase.Assigned:
                        var reader = new Reader(this, response.Assigned);
                        var revoked = CancellationTokenSource.CreateLinkedTokenSource(member._session.Leaving);
                        lock (_partitions)
                            _partitions[response.Assigned] = (reader, revoked, Task.Run(() => ConsumeAsync(reader, revoked.Token), CancellationToken.None));
                        break;
                    case JoinResponse.KindOneofCase.Messages:
                        Find(response.Messages.Partition)?.Reader.Deliver([.. response.Messages.Messages.Select(StandInCalls.FromWire)]);
                        break;
                    case JoinResponse.KindOneofCase.Revoked:
                        if (Find(response.Revoked) is { } taken)
                            _ = taken.Revoked.CancelAsync();
                        break;
                }
            }

            private (Reader Reader, CancellationTokenSource Revoked)? Find(int partition)
            {
                lock (_partitions)
                    return _partitions.TryGetValue(partition, out var found) ? (found.Reader, found.Revoked) : null;
            }

            private async Task ConsumeAsync(Reader reader, CancellationToken revoked)
            {
                try
                {
                    await member._consumer(reader, revoked).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    // Taken away while it waited for messages.
                }
                finally
                {
                    reader.SendMark();
                    lock (_partitions)
                        _partitions.Remove(reader.Partition);
                    Send(new JoinRequest { Released = reader.Partition });
                }
            }

            // The consumers end first, so that their last marks are sent before the stream ends.
            private async Task LeaveAsync()
            {
                await EndAllAsync().ConfigureAwait(false);
                _requests.Writer.TryComplete();
            }

            private async Task EndAllAsync()
            {
                Task[] running;
                lock (_partitions)
                {
                    foreach (var (_, revoked, _) in _partitions.Values)
                        _ = revoked.CancelAsync();
                    running = [.. _partitions.Values.Select(p => p.Running)];
                }

                await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            private async Task WriteAsync()
            {
                try
                {
                    await foreach (var request in _requests.Reader.ReadAllAsync().ConfigureAwait(false))
                        await call.RequestStream.WriteAsync(request).ConfigureAwait(false);
                    await call.RequestStream.CompleteAsync().ConfigureAwait(false);
                }
                catch (Exception e) when (StandInSession.IsEnd(e))
                {
                    // The reading side learns of it too.
                }
            }
        }

        private sealed class Reader(Session session, int partition) : ILogReader
        {
            private static readonly TimeSpan MarkInterval = TimeSpan.FromMilliseconds(200);
            private readonly Lock _lock = new();
            private TaskCompletionSource<IReadOnlyList<LogMessage>>? _waiting;
            private long _marked = -1;
            private long _sent = -1;
            private bool _timing;

            public int Partition => partition;

            public async ValueTask<IReadOnlyList<LogMessage>> ReadAsync(int count, CancellationToken cancellationToken)
            {
                // A read that was given up is still on its way; what it brings is the next part.
                var waiting = _waiting;
                if (waiting is null)
                {
                    _waiting = waiting = new TaskCompletionSource<IReadOnlyList<LogMessage>>(TaskCreationOptions.RunContinuationsAsynchronously);
                    SendMark();
                    session.Send(new JoinRequest { Read = new JoinRead { Partition = partition, Count = count } });
                }

                var messages = await waiting.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
                _waiting = null;
                return messages;
            }

            public void Deliver(IReadOnlyList<LogMessage> messages) => _waiting?.TrySetResult(messages);

            public void Mark(long offset)
            {
                lock (_lock)
                {
                    if (offset <= _marked)
                        return;
                    _marked = offset;
                    if (_timing)
                        return;
                    _timing = true;
                }

                // One message for all marks of the interval.
                _ = SendLaterAsync();
            }

            public void SendMark()
            {
                long offset;
                lock (_lock)
                {
                    if (_marked <= _sent)
                        return;
                    offset = _sent = _marked;
                }

                session.Send(new JoinRequest { Mark = new JoinMark { Partition = partition, Offset = offset } });
            }

            private async Task SendLaterAsync()
            {
                await Task.Delay(MarkInterval).ConfigureAwait(false);
                lock (_lock)
                    _timing = false;
                SendMark();
            }
        }
    }
}
