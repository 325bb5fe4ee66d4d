using System.Threading.Channels;
using DaprPlatform.Sidecar.StandIns.Wire;
using Grpc.Core;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>Offers stream servers to other processes: a call to Join is a member of a group for as long as it lasts.</summary>
internal sealed class StreamLogService(StandInServers<IStreamLog> servers) : StreamLogStandIn.StreamLogStandInBase
{
    public override async Task<AddResponse> Add(AddRequest request, ServerCallContext context)
    {
        var streams = await servers.GetAsync(request.Address).ConfigureAwait(false);
        var entries = new StreamAdd[request.Entries.Count];
        for (var i = 0; i < entries.Length; i++)
        {
            var entry = request.Entries[i];
            entries[i] = new StreamAdd(entry.Stream, entry.Value.Memory, StandInCalls.Headers(entry.Headers), entry.HasKeep ? entry.Keep : null);
        }

        await streams.AddAsync(entries, context.CancellationToken).ConfigureAwait(false);
        return new AddResponse();
    }

    public override async Task Join(IAsyncStreamReader<StreamJoinRequest> requestStream, IServerStreamWriter<StreamJoinResponse> responseStream, ServerCallContext context)
    {
        if (!await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false) || requestStream.Current.Membership is not { } membership)
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the first message must be a membership"));
        var streams = await servers.GetAsync(membership.Address).ConfigureAwait(false);
        await using var member = await streams.JoinAsync(membership.Stream, membership.Group, context.CancellationToken).ConfigureAwait(false);
        var answers = Channel.CreateUnbounded<StreamJoinResponse>(new UnboundedChannelOptions { SingleReader = true });
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var writing = WriteAsync(answers.Reader, responseStream);
        var taking = Task.CompletedTask;
        answers.Writer.TryWrite(new StreamJoinResponse { Ready = new JoinReady() });
        try
        {
            while (await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false))
            {
                var request = requestStream.Current;
                switch (request.KindCase)
                {
                    case StreamJoinRequest.KindOneofCase.Take:
                        await taking.ConfigureAwait(false);
                        taking = TakeAsync(request.Take);
                        break;
                    case StreamJoinRequest.KindOneofCase.Reclaim:
                        var reclaimed = await member.ReclaimAsync(TimeSpan.FromMilliseconds(request.Reclaim.IdleMilliseconds), request.Reclaim.Count, context.CancellationToken).ConfigureAwait(false);
                        answers.Writer.TryWrite(new StreamJoinResponse { Reclaimed = ToWire(reclaimed) });
                        break;
                    case StreamJoinRequest.KindOneofCase.Acknowledged:
                        member.Acknowledge(request.Acknowledged);
                        break;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The member's process has gone; what it had taken is given back.
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await taking.ConfigureAwait(false);
            answers.Writer.TryComplete();
            await writing.ConfigureAwait(false);
        }

        async Task TakeAsync(int count)
        {
            try
            {
                answers.Writer.TryWrite(new StreamJoinResponse { Taken = ToWire(await member.TakeAsync(count, ended.Token).ConfigureAwait(false)) });
            }
            catch (OperationCanceledException)
            {
                // Nobody waits for it any more.
            }
        }
    }

    private static StreamEntries ToWire(IReadOnlyList<LogMessage> entries)
    {
        var wire = new StreamEntries();
        foreach (var entry in entries)
            wire.Entries.Add(StandInCalls.ToWire(entry));
        return wire;
    }

    private static async Task WriteAsync(ChannelReader<StreamJoinResponse> answers, IServerStreamWriter<StreamJoinResponse> stream)
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
}
