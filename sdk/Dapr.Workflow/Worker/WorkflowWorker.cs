using System.Collections.Concurrent;
using Dapr.Workflow.Client;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

/// <summary>Holds the stream of work items to the sidecar, runs what comes, and sends the answers. Reconnects for ever.</summary>
internal sealed partial class WorkflowWorker(
    TaskHubConnection sidecar,
    WorkflowTurn turns,
    ActivityRunner activities,
    TimeProvider time,
    ILogger<WorkflowWorker> logger) : BackgroundService
{
    private const int MaxConcurrentTurns = 100;
    private const int MaxConcurrentActivities = 100;
    private const int CompletionAttempts = 6;
    // Likewise: it leaves out of long histories what it has sent before.
    private const string KeepsHistory = "dapr-workflow-keeps-history";
    // A sidecar that knows this header gives every item a token, so that an answer sent again after a restart is not taken for one to a later turn. Others ignore it.
    private const string EchoesTokens = "dapr-workflow-tokens";
    private static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstCompletionRetry = TimeSpan.FromMilliseconds(50);
    // A stream that lived this long was a working one: its loss says nothing about the next attempt.
    private static readonly TimeSpan ProvenLife = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _turnSlots = new(MaxConcurrentTurns);
    private readonly SemaphoreSlim _activitySlots = new(MaxConcurrentActivities);
    // Those that run here or whose answer is on its way: a sidecar that comes back from a restart before it has the answer hands them out again.
    private readonly ConcurrentDictionary<(string Instance, int Task, string Execution, string Token), Task<P.ActivityResponse>> _activitiesUnderWay = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // One for the worker itself until it stops, one per item under way.
    private int _underWay = 1;

    /// <summary>Stops taking items, then waits for those under way, as long as the host allows: their answers still count.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        Leave();
        await _drained.Task.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override void Dispose()
    {
        base.Dispose();
        _turnSlots.Dispose();
        _activitySlots.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        var delay = new ReconnectDelay();
        while (!stoppingToken.IsCancellationRequested)
        {
            var start = time.GetTimestamp();
            var worked = false;
            try
            {
                await foreach (var (item, histories) in ReadItemsAsync(stoppingToken))
                {
                    worked = true;
                    Start(item, histories);
                }

                LogStreamEnded();
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure)
            {
                LogStreamLost(failure.Message);
            }

            if (worked || time.GetElapsedTime(start) >= ProvenLife)
                delay.Reset();
            await Task.Delay(delay.Next(), time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async IAsyncEnumerable<(P.WorkItem Item, KeptHistories Histories)> ReadItemsAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stopping)
    {
        using var connected = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var options = sidecar.Options(stopping);
        options.Headers!.Add(EchoesTokens, "1");
        options.Headers.Add(KeepsHistory, "1");
        var histories = new KeptHistories();
        using var stream = sidecar.Client.GetWorkItems(new P.GetWorkItemsRequest(), options);
        var keepAlive = KeepAliveAsync(connected.Token);
        try
        {
            while (await stream.ResponseStream.MoveNext(stopping))
                yield return (stream.ResponseStream.Current, histories);
        }
        finally
        {
            await connected.CancelAsync();
            await keepAlive;
        }
    }

    // Proxies close streams that look idle; a call on the same connection shows that it is not.
    private async Task KeepAliveAsync(CancellationToken disconnected)
    {
        using var timer = new PeriodicTimer(KeepAliveInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(disconnected))
            {
                try
                {
                    await sidecar.Client.HelloAsync(new Empty(), sidecar.Options(disconnected));
                }
                catch (RpcException failure)
                {
                    // The stream itself tells whether the sidecar is gone.
                    LogKeepAliveFailed(failure.Status.Detail);
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Start(P.WorkItem item, KeptHistories histories)
    {
        Interlocked.Increment(ref _underWay);
        switch (item.RequestCase)
        {
            case P.WorkItem.RequestOneofCase.WorkflowRequest:
                ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Worker.RunTurnAsync(work.Item, work.Histories), (Worker: this, Item: item, Histories: histories), preferLocal: false);
                break;
            case P.WorkItem.RequestOneofCase.ActivityRequest:
                ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Worker.RunActivityAsync(work.Item), (Worker: this, Item: item), preferLocal: false);
                break;
            default:
                Leave();
                break;
        }
    }

    private async Task RunTurnAsync(P.WorkItem item, KeptHistories histories)
    {
        var request = item.WorkflowRequest;
        try
        {
            await _turnSlots.WaitAsync().ConfigureAwait(false);
            try
            {
                if (request.RequiresHistoryStreaming || !histories.Complete(request))
                {
                    var history = await sidecar.Client.GetInstanceHistoryAsync(
                        new P.GetInstanceHistoryRequest { InstanceId = request.InstanceId },
                        sidecar.Options(CancellationToken.None));
                    request.PastEvents.Clear();
                    request.PastEvents.AddRange(history.Events);
                }

                histories.Keep(request);
                var response = turns.Run(request, item.CompletionToken);
                if (response.Actions.Any(static action => action.CompleteWorkflow is not null))
                    histories.Forget(request.InstanceId);
                await SendAsync(
                    response,
                    static (sidecar, response) => sidecar.Client.CompleteOrchestratorTaskAsync(response, sidecar.Options(CancellationToken.None)));
            }
            finally
            {
                _turnSlots.Release();
            }
        }
        catch (Exception failure)
        {
            // The sidecar gives the item out again when it does not get an answer; a failure to answer must not become the workflow's.
            LogTurnLost(request.InstanceId, failure);
        }
        finally
        {
            Leave();
        }
    }

    private async Task RunActivityAsync(P.WorkItem item)
    {
        var request = item.ActivityRequest;
        try
        {
            await _activitySlots.WaitAsync().ConfigureAwait(false);
            try
            {
                await AnswerAsync(request, item.CompletionToken).ConfigureAwait(false);
            }
            finally
            {
                _activitySlots.Release();
            }
        }
        catch (Exception failure)
        {
            LogActivityLost(request.Name, request.WorkflowInstance?.InstanceId, failure);
        }
        finally
        {
            Leave();
        }
    }

    private async Task AnswerAsync(P.ActivityRequest request, string token)
    {
        // Nothing else tells two executions of an instance apart.
        if (request.TaskExecutionId.Length == 0)
        {
            await SendAsync(await activities.RunAsync(request, token)).ConfigureAwait(false);
            return;
        }

        var key = (request.WorkflowInstance?.InstanceId ?? string.Empty, request.TaskId, request.TaskExecutionId, token);
        var own = new TaskCompletionSource<P.ActivityResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        var run = _activitiesUnderWay.GetOrAdd(key, own.Task);
        if (run != own.Task)
        {
            LogRepeated(request.Name, key.Item1);
            await SendAsync(await run.ConfigureAwait(false)).ConfigureAwait(false);
            return;
        }

        try
        {
            own.SetResult(await activities.RunAsync(request, token));
            await SendAsync(await run.ConfigureAwait(false)).ConfigureAwait(false);
        }
        finally
        {
            _activitiesUnderWay.TryRemove(key, out _);
            // Only where it could not even be run; whoever waits for its answer must not wait for ever.
            own.TrySetCanceled();
        }
    }

    private Task SendAsync(P.ActivityResponse response) =>
        SendAsync(response, static (sidecar, response) => sidecar.Client.CompleteActivityTaskAsync(response, sidecar.Options(CancellationToken.None)));

    // The sidecar takes the first answer to an item and ignores the rest, so sending again does no harm.
    private async Task SendAsync<TResponse>(TResponse response, Func<TaskHubConnection, TResponse, AsyncUnaryCall<P.CompleteTaskResponse>> send)
    {
        var delay = FirstCompletionRetry;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await send(sidecar, response);
                return;
            }
            catch (RpcException failure) when (failure.StatusCode == StatusCode.Unavailable && attempt < CompletionAttempts)
            {
                await Task.Delay(delay, time);
                delay *= 2;
            }
        }
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref _underWay) == 0)
            _drained.TrySetResult();
    }

    [LoggerMessage(LogLevel.Information, "The sidecar ended the stream of work items; reconnecting")]
    private partial void LogStreamEnded();

    [LoggerMessage(LogLevel.Warning, "No stream of work items from the sidecar ({Reason}); reconnecting")]
    private partial void LogStreamLost(string reason);

    [LoggerMessage(LogLevel.Debug, "Keep-alive call failed: {Reason}")]
    private partial void LogKeepAliveFailed(string reason);

    [LoggerMessage(LogLevel.Error, "The answer to a turn of instance {InstanceId} could not be given")]
    private partial void LogTurnLost(string instanceId, Exception failure);

    [LoggerMessage(LogLevel.Information, "Activity {Activity} of instance {InstanceId} was handed out again before its answer had arrived; it does not run twice")]
    private partial void LogRepeated(string activity, string instanceId);

    [LoggerMessage(LogLevel.Error, "The answer of activity {Activity} of instance {InstanceId} could not be given")]
    private partial void LogActivityLost(string activity, string? instanceId, Exception failure);
}
