using System.Collections.Concurrent;
using System.Threading.Channels;
using DaprPlatform.Sidecar.StandIns.Wire;
using Grpc.Core;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>Offers log servers to other processes: a stream is a member of a group for as long as it lasts.</summary>
internal sealed class MessageLogService(StandInServers<IMessageLog> servers) : MessageLogStandIn.MessageLogStandInBase
{
    public override async Task<PartitionsResponse> Partitions(PartitionsRequest request, ServerCallContext context)
    {
        var log = await servers.GetAsync(request.Address).ConfigureAwait(false);
        try
        {
            return new PartitionsResponse { Count = await log.PartitionsAsync(request.Topic, context.CancellationToken).ConfigureAwait(false) };
        }
        catch (LogException e)
        {
            return new PartitionsResponse { Error = e.Message };
        }
    }

    public override async Task<AppendResponse> Append(AppendRequest request, ServerCallContext context)
    {
        var log = await servers.GetAsync(request.Address).ConfigureAwait(false);
        var messages = new LogAppend[request.Messages.Count];
        for (var i = 0; i < messages.Length; i++)
        {
            var m = request.Messages[i];
            messages[i] = new LogAppend(m.Topic, m.HasKey ? m.Key : null, m.HasValue ? m.Value.Memory : default(ReadOnlyMemory<byte>?), StandInCalls.Headers(m.Headers), m.HasPartition ? m.Partition : null);
        }

        var response = new AppendResponse();
        foreach (var error in await log.AppendAsync(messages, context.CancellationToken).ConfigureAwait(false))
            response.Errors.Add(error ?? "");
        return response;
    }

    public override async Task Join(IAsyncStreamReader<JoinRequest> requestStream, IServerStreamWriter<JoinResponse> responseStream, ServerCallContext context)
    {
        if (!await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false) || requestStream.Current.Membership is not { } membership)
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the first message must be a membership"));
        var log = await servers.GetAsync(membership.Address).ConfigureAwait(false);
        var answers = Channel.CreateUnbounded<JoinResponse>(new UnboundedChannelOptions { SingleReader = true });
        var writing = WriteAsync(answers.Reader, responseStream);
        var served = new ConcurrentDictionary<int, Served>();
        var isGone = false;
        IAsyncDisposable? member = null;
        try
        {
            try
            {
                member = await log.JoinAsync(new LogMembership(membership.Group, membership.Topic, membership.FromOldest), ServeAsync, context.CancellationToken).ConfigureAwait(false);
                answers.Writer.TryWrite(new JoinResponse { Ready = new JoinReady() });
            }
            catch (LogException e)
            {
                answers.Writer.TryWrite(new JoinResponse { Ready = new JoinReady { Error = e.Message } });
                return;
            }

            while (await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false))
            {
                var request = requestStream.Current;
                switch (request.KindCase)
                {
                    case JoinRequest.KindOneofCase.Read when served.TryGetValue(request.Read.Partition, out var reading):
                        reading.Reads.Writer.TryWrite(request.Read.Count);
                        break;
                    case JoinRequest.KindOneofCase.Mark when served.TryGetValue(request.Mark.Partition, out var marked):
                        marked.Reader.Mark(request.Mark.Offset);
                        break;
                    case JoinRequest.KindOneofCase.Released when served.TryGetValue(request.Released, out var released):
                        released.Released.TrySetResult();
                        break;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The member's process has gone.
        }
        finally
        {
            Volatile.Write(ref isGone, true);
            foreach (var partition in served.Values)
                partition.Released.TrySetResult();
            if (member is not null)
                await member.DisposeAsync().ConfigureAwait(false);
            answers.Writer.TryComplete();
            await writing.ConfigureAwait(false);
        }

        async Task ServeAsync(ILogReader reader, CancellationToken revoked)
        {
            var mine = new Served(reader);
            served[reader.Partition] = mine;
            if (Volatile.Read(ref isGone))
                mine.Released.TrySetResult();
            answers.Writer.TryWrite(new JoinResponse { Assigned = reader.Partition });
            try
            {
                while (true)
                {
                    var count = await mine.Reads.Reader.ReadAsync(revoked).ConfigureAwait(false);
                    var messages = new JoinMessages { Partition = reader.Partition };
                    foreach (var message in await reader.ReadAsync(count, revoked).ConfigureAwait(false))
                        messages.Messages.Add(StandInCalls.ToWire(message));
                    answers.Writer.TryWrite(new JoinResponse { Messages = messages });
                }
            }
            catch (OperationCanceledException)
            {
                // Taken away: the member is asked to end with it, and has until its process ends.
                answers.Writer.TryWrite(new JoinResponse { Revoked = reader.Partition });
                await mine.Released.Task.ConfigureAwait(false);
            }
            finally
            {
                served.TryRemove(reader.Partition, out _);
            }
        }
    }

    private static async Task WriteAsync(ChannelReader<JoinResponse> answers, IServerStreamWriter<JoinResponse> stream)
    {
        try
        {
            await foreach (var answer in answers.ReadAllAsync().ConfigureAwait(false))
                await stream.WriteAsync(answer).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException or RpcException)
        {
            // The member's process has gone; the reading side ends the membership.
        }
    }

    private sealed class Served(ILogReader reader)
    {
        public ILogReader Reader => reader;

        public Channel<int> Reads { get; } = Channel.CreateUnbounded<int>();

        public TaskCompletionSource Released { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
