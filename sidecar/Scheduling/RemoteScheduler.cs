using System.Threading.Channels;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Scheduling.Wire;
using DaprPlatform.Sidecar.StandIns;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>
/// A scheduler in the stand-in process of the machine. Requests of concurrent callers share calls. Those that were lost with the connection are repeated, but for a job
/// that must not exist yet: it may have been scheduled, so its caller is told.
/// </summary>
internal sealed partial class RemoteScheduler : IScheduler, IAsyncDisposable
{
    private const int LargestBatch = 256;
    private readonly SchedulerStandIn.SchedulerStandInClient _client;
    private readonly string _address;
    private readonly ILogger _logger;
    private readonly Batcher<SchedulerRequest, SchedulerAnswer> _requests;

    public RemoteScheduler(StandInConnection connection, string address)
    {
        _client = new SchedulerStandIn.SchedulerStandInClient(connection.Invoker);
        _logger = connection.Logger;
        _address = address;
        _requests = new Batcher<SchedulerRequest, SchedulerAnswer>(ExecuteAsync, LargestBatch);
    }

    public Task ScheduleAsync(JobKey key, Job job, bool overwrite, CancellationToken cancellationToken) =>
        SendAsync(Request(key, r => r.Schedule = new SchedulerSchedule { Job = job, Overwrite = overwrite }), repeatable: overwrite, cancellationToken).AsTask();

    public async ValueTask<Job?> GetAsync(JobKey key, CancellationToken cancellationToken) =>
        (await SendAsync(Request(key, static r => r.Get = true), repeatable: true, cancellationToken).ConfigureAwait(false)).Job;

    public async ValueTask<IReadOnlyList<ScheduledJob>> ListAsync(JobScope scope, string? actorId, CancellationToken cancellationToken)
    {
        var request = new SchedulerListRequest { Address = _address, Scope = SchedulerWire.Scope(scope) };
        if (actorId is not null)
            request.Actor = actorId;
        try
        {
            return await StandInCalls.RepeatAsync(async () =>
            {
                var jobs = new List<ScheduledJob>();
                using var call = _client.List(request, cancellationToken: cancellationToken);
                while (await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false))
                    jobs.AddRange(call.ResponseStream.Current.Jobs.Select(j => new ScheduledJob(new JobKey(scope, j.Actor, j.Job.Name), j.Job)));
                return jobs;
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (Lost(e, cancellationToken) is { } lost)
        {
            throw lost;
        }
    }

    public async ValueTask<long> CountAsync(JobScope scope, CancellationToken cancellationToken) =>
        (await SendAsync(new SchedulerRequest { Scope = SchedulerWire.Scope(scope), Count = true }, repeatable: true, cancellationToken).ConfigureAwait(false)).Count;

    public Task DeleteAsync(JobKey key, CancellationToken cancellationToken) => SendAsync(Request(key, static r => r.Delete = true), repeatable: true, cancellationToken).AsTask();

    public Task DeleteAllAsync(JobScope scope, string? actorId, string namePrefix, CancellationToken cancellationToken)
    {
        var request = new SchedulerRequest { Scope = SchedulerWire.Scope(scope), Name = namePrefix, DeleteAll = true };
        if (actorId is not null)
            request.Actor = actorId;
        return SendAsync(request, repeatable: true, cancellationToken).AsTask();
    }

    public Task EnterAsync(JobScope scope, string home, CancellationToken cancellationToken) =>
        SendAsync(new SchedulerRequest { Scope = SchedulerWire.Scope(scope), Enter = home }, repeatable: true, cancellationToken).AsTask();

    public async ValueTask<IAsyncDisposable> ConsumeAsync(JobScope scope, JobHandler handler, CancellationToken cancellationToken)
    {
        var consumer = new Consumer(this, scope, handler);
        try
        {
            await consumer.Joined.WaitAsync(cancellationToken).ConfigureAwait(false);
            return consumer;
        }
        catch
        {
            await consumer.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask DisposeAsync() => _requests.DisposeAsync();

    private static SchedulerRequest Request(JobKey key, Action<SchedulerRequest> kind)
    {
        var request = new SchedulerRequest { Scope = SchedulerWire.Scope(key.Scope), Actor = key.ActorId, Name = key.Name };
        kind(request);
        return request;
    }

    private SchedulerException? Lost(Exception e, CancellationToken cancellationToken) => !cancellationToken.IsCancellationRequested && StandInCalls.IsLost(e)
        ? new SchedulerException(SchedulerRefusal.Unavailable, $"the connection to the scheduler {_address} was lost: {(e as RpcException)?.Status.Detail ?? e.Message}", e)
        : null;

    private async Task<IReadOnlyList<SchedulerAnswer>> ExecuteAsync(IReadOnlyList<SchedulerRequest> requests)
    {
        var batch = new SchedulerBatch { Address = _address };
        batch.Requests.AddRange(requests);
        return (await _client.ExecuteAsync(batch).ConfigureAwait(false)).Answers;
    }

    private async ValueTask<SchedulerAnswer> SendAsync(SchedulerRequest request, bool repeatable, CancellationToken cancellationToken)
    {
        try
        {
            // A job that is scheduled twice with overwriting starts twice, as it would have with a client that tries again.
            var send = async () => (await _requests.SendAsync([request]).WaitAsync(cancellationToken).ConfigureAwait(false))[0];
            var answer = repeatable ? await StandInCalls.RepeatAsync(send, cancellationToken).ConfigureAwait(false) : await send().ConfigureAwait(false);
            return answer.Error.Length == 0 ? answer : throw new SchedulerException((SchedulerRefusal)answer.Refusal, answer.Error);
        }
        catch (Exception e) when (Lost(e, cancellationToken) is { } lost)
        {
            throw lost;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "job {Name} failed")]
    private static partial void LogFailed(ILogger logger, string name, Exception error);

    /// <summary>Takes part again after the process was killed.</summary>
    private sealed class Consumer : IAsyncDisposable
    {
        private readonly RemoteScheduler _scheduler;
        private readonly JobScope _scope;
        private readonly JobHandler _handler;
        private readonly StandInSession _session;

        public Consumer(RemoteScheduler scheduler, JobScope scope, JobHandler handler)
        {
            _scheduler = scheduler;
            _scope = scope;
            _handler = handler;
            _session = new StandInSession(scheduler._logger);
            _session.Start(StreamAsync);
        }

        public Task Joined => _session.Joined;

        public ValueTask DisposeAsync() => _session.DisposeAsync();

        private async Task StreamAsync()
        {
            using var call = _scheduler._client.Consume();
            await SessionAsync(call).ConfigureAwait(false);
        }

        private async Task SessionAsync(AsyncDuplexStreamingCall<SchedulerConsume, SchedulerDue> call)
        {
            var answers = Channel.CreateUnbounded<SchedulerConsume>(new UnboundedChannelOptions { SingleReader = true });
            answers.Writer.TryWrite(new SchedulerConsume { Consumer = new SchedulerConsumer { Address = _scheduler._address, Scope = SchedulerWire.Scope(_scope) } });
            var writing = WriteAsync(call, answers.Reader);
            using var lost = new CancellationTokenSource();
            using var leave = _session.Leaving.Register(() => answers.Writer.TryWrite(new SchedulerConsume { Leave = true }));
            try
            {
                while (await call.ResponseStream.MoveNext(CancellationToken.None).ConfigureAwait(false))
                {
                    _session.SetJoined();
                    if (call.ResponseStream.Current.Left)
                        answers.Writer.TryComplete();
                    foreach (var job in call.ResponseStream.Current.Jobs)
                        ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Consumer.DeliverAsync(work.Job, work.Writer, work.Token), (Consumer: this, Job: job, answers.Writer, lost.Token), preferLocal: false);
                }
            }
            finally
            {
                await lost.CancelAsync().ConfigureAwait(false);
                answers.Writer.TryComplete();
                await writing.ConfigureAwait(false);
            }
        }

        private async Task DeliverAsync(SchedulerDueJob due, ChannelWriter<SchedulerConsume> answers, CancellationToken lost)
        {
            JobOutcome outcome;
            try
            {
                outcome = await _handler(new DueJob(new JobKey(_scope, due.Actor, due.Name), due.Job, new DateTimeOffset(due.Due, TimeSpan.Zero), due.Attempt), lost).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                LogFailed(_scheduler._logger, due.Name, e);
                outcome = JobOutcome.Failed;
            }

            var answer = new SchedulerConsume();
            answer.Outcomes.Add(new SchedulerOutcome { Token = due.Token, Outcome = (int)outcome });
            answers.TryWrite(answer);
        }

        private static async Task WriteAsync(AsyncDuplexStreamingCall<SchedulerConsume, SchedulerDue> call, ChannelReader<SchedulerConsume> answers)
        {
            try
            {
                while (await answers.WaitToReadAsync().ConfigureAwait(false))
                {
                    var message = new SchedulerConsume();
                    while (message.Outcomes.Count < LargestBatch && answers.TryRead(out var next))
                        message.MergeFrom(next);
                    await call.RequestStream.WriteAsync(message).ConfigureAwait(false);
                }

                await call.RequestStream.CompleteAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (StandInSession.IsEnd(e))
            {
                // The reading side learns of it too.
            }
        }
    }
}
