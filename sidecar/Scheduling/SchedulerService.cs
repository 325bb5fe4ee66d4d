using System.Collections.Concurrent;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Scheduling.Wire;
using DaprPlatform.Sidecar.StandIns;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>Offers schedulers to other processes.</summary>
internal sealed class SchedulerService(StandInServers<IScheduler> servers) : SchedulerStandIn.SchedulerStandInBase
{
    private const int LargestMessage = 256;

    public override async Task<SchedulerBatchAnswer> Execute(SchedulerBatch request, ServerCallContext context)
    {
        var scheduler = await servers.GetAsync(request.Address).ConfigureAwait(false);
        var answer = new SchedulerBatchAnswer();
        answer.Answers.AddRange(await StandInCalls.AnswerAllAsync(request.Requests, r => AnswerAsync(scheduler, r)).ConfigureAwait(false));
        return answer;
    }

    public override async Task List(SchedulerListRequest request, IServerStreamWriter<SchedulerListed> responseStream, ServerCallContext context)
    {
        var scheduler = await servers.GetAsync(request.Address).ConfigureAwait(false);
        var jobs = await scheduler.ListAsync(SchedulerWire.Scope(request.Scope), request.HasActor ? request.Actor : null, context.CancellationToken).ConfigureAwait(false);
        foreach (var part in jobs.Chunk(LargestMessage))
        {
            var message = new SchedulerListed();
            foreach (var job in part)
                message.Jobs.Add(new SchedulerListedJob { Actor = job.Key.ActorId, Job = job.Job });
            await responseStream.WriteAsync(message).ConfigureAwait(false);
        }
    }

    public override async Task Consume(IAsyncStreamReader<SchedulerConsume> requestStream, IServerStreamWriter<SchedulerDue> responseStream, ServerCallContext context)
    {
        if (!await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false) || requestStream.Current.Consumer is not { } consumer)
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the first message must be a consumer"));
        var scheduler = await servers.GetAsync(consumer.Address).ConfigureAwait(false);
        var due = Channel.CreateUnbounded<SchedulerDueJob?>(new UnboundedChannelOptions { SingleReader = true });
        var open = new ConcurrentDictionary<long, TaskCompletionSource<JobOutcome>>();
        var isGone = false;
        long lastToken = 0;
        await responseStream.WriteAsync(new SchedulerDue()).ConfigureAwait(false);
        var writing = WriteAsync(due.Reader, responseStream);
        var consumption = await scheduler.ConsumeAsync(SchedulerWire.Scope(consumer.Scope), DeliverAsync, context.CancellationToken).ConfigureAwait(false);
        Task? leaving = null;
        try
        {
            do
            {
                foreach (var outcome in requestStream.Current.Outcomes)
                {
                    if (open.TryRemove(outcome.Token, out var answered))
                        answered.TrySetResult((JobOutcome)outcome.Outcome);
                }

                if (requestStream.Current.Leave && leaving is null)
                {
                    leaving = consumption.DisposeAsync().AsTask();
                    _ = EndAsync(leaving);
                }
            }
            while (await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The consumer's process has gone.
        }
        finally
        {
            leaving ??= consumption.DisposeAsync().AsTask();
            Volatile.Write(ref isGone, true);
            foreach (var token in open.Keys)
            {
                if (open.TryRemove(token, out var lost))
                    lost.TrySetResult(JobOutcome.Undeliverable);
            }

            await leaving.ConfigureAwait(false);
            due.Writer.TryComplete();
            await writing.ConfigureAwait(false);
        }

        // The last message; the consumer ends the stream then.
        async Task EndAsync(Task left)
        {
            await left.ConfigureAwait(false);
            due.Writer.TryWrite(null);
        }

        async ValueTask<JobOutcome> DeliverAsync(DueJob job, CancellationToken cancellationToken)
        {
            var token = Interlocked.Increment(ref lastToken);
            var answered = new TaskCompletionSource<JobOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
            open[token] = answered;
            if (Volatile.Read(ref isGone) || !due.Writer.TryWrite(new SchedulerDueJob { Token = token, Actor = job.Key.ActorId, Name = job.Key.Name, Job = job.Job, Due = job.Due.UtcTicks, Attempt = job.Attempt }))
            {
                open.TryRemove(token, out _);
                return JobOutcome.Undeliverable;
            }

            return await answered.Task.ConfigureAwait(false);
        }
    }

    private static async Task WriteAsync(ChannelReader<SchedulerDueJob?> due, IServerStreamWriter<SchedulerDue> stream)
    {
        try
        {
            while (await due.WaitToReadAsync().ConfigureAwait(false))
            {
                var message = new SchedulerDue();
                while (message.Jobs.Count < LargestMessage && due.TryRead(out var job))
                {
                    if (job is null)
                        message.Left = true;
                    else
                        message.Jobs.Add(job);
                }

                await stream.WriteAsync(message).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException or RpcException)
        {
            // The consumer's process has gone; the reading side ends the consumption.
        }
    }

    private static async Task<SchedulerAnswer> AnswerAsync(IScheduler scheduler, SchedulerRequest request)
    {
        var answer = new SchedulerAnswer();
        var scope = SchedulerWire.Scope(request.Scope);
        var key = new JobKey(scope, request.Actor, request.Name);
        try
        {
            switch (request.KindCase)
            {
                case SchedulerRequest.KindOneofCase.Schedule:
                    await scheduler.ScheduleAsync(key, request.Schedule.Job, request.Schedule.Overwrite, CancellationToken.None).ConfigureAwait(false);
                    break;
                case SchedulerRequest.KindOneofCase.Get when await scheduler.GetAsync(key, CancellationToken.None).ConfigureAwait(false) is { } job:
                    answer.Job = job;
                    break;
                case SchedulerRequest.KindOneofCase.Delete:
                    await scheduler.DeleteAsync(key, CancellationToken.None).ConfigureAwait(false);
                    break;
                case SchedulerRequest.KindOneofCase.Enter:
                    await scheduler.EnterAsync(scope, request.Enter, CancellationToken.None).ConfigureAwait(false);
                    break;
                case SchedulerRequest.KindOneofCase.Count:
                    answer.Count = await scheduler.CountAsync(scope, CancellationToken.None).ConfigureAwait(false);
                    break;
                case SchedulerRequest.KindOneofCase.DeleteAll:
                    await scheduler.DeleteAllAsync(scope, request.HasActor ? request.Actor : null, request.Name, CancellationToken.None).ConfigureAwait(false);
                    break;
            }
        }
        catch (SchedulerException e)
        {
            answer.Error = e.Message;
            answer.Refusal = (int)e.Refusal;
        }

        return answer;
    }
}

internal static class SchedulerWire
{
    public static JobScope Scope(SchedulerScope scope) => new((JobOwner)scope.Owner, scope.Namespace, scope.Name);

    public static SchedulerScope Scope(JobScope scope) => new() { Owner = (int)scope.Owner, Namespace = scope.Namespace, Name = scope.Name };
}
