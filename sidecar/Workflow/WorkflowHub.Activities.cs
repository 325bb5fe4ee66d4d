using System.Collections.Concurrent;
using Dapr.DurableTask.Protobuf;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>Activities that workers have or wait for, of this app's workflows and of those of other apps.</summary>
internal sealed partial class WorkflowHub
{
    // For an app that was gone when its activity ended: it asks again once it is back.
    private static readonly TimeSpan AnswersAreKept = TimeSpan.FromMinutes(5);

    // A worker's answer names no more than this.
    private readonly ConcurrentDictionary<(string Instance, int Task), ActivityTask> _activities = new();
    private readonly Lock _entering = new();

    // Both under the lock: what waits until a worker has answered another activity of the same key, and answers nobody waited for.
    private readonly Dictionary<(string Instance, int Task), Queue<ActivityTask>> _behind = [];
    private readonly Dictionary<(string Instance, int Task, string Execution), ActivityResponse> _kept = [];
    private int _behindCount;

    /// <summary>Runs an activity for a workflow of another app. One that is under way, or has ended since its app was lost, is not run again.</summary>
    public async Task<ActivityResponse> RunActivityAsync(ActivityRequest request, CancellationToken cancellationToken)
    {
        var (id, execution) = (request.WorkflowInstance.InstanceId, request.WorkflowInstance.ExecutionId ?? "");
        ActivityTask? activity;
        bool isNew;
        lock (_entering)
        {
            if (_kept.Remove((id, request.TaskId, execution), out var kept))
                return kept;
            isNew = !_activities.TryGetValue((id, request.TaskId), out activity) || activity.Answer is null || activity.ExecutionId != execution;
            if (isNew)
            {
                var scheduled = new HistoryEvent
                {
                    EventId = request.TaskId,
                    TaskScheduled = new TaskScheduledEvent { Name = request.Name, Version = request.Version, Input = request.Input, ParentTraceContext = request.ParentTraceContext, TaskExecutionId = request.TaskExecutionId },
                };
                activity = new ActivityTask(id, execution, scheduled)
                {
                    Answer = new TaskCompletionSource<ActivityResponse>(TaskCreationOptions.RunContinuationsAsynchronously),
                    Propagated = request.PropagatedHistory,
                };
            }

            activity!.Askers++;
        }

        try
        {
            if (isNew)
                Enter(activity);
            using var closed = _stopping.Token.UnsafeRegister(static a => ((TaskCompletionSource<ActivityResponse>)a!).TrySetException(new HubMovedException()), activity.Answer);
            return await activity.Answer!.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (_entering)
                activity.Askers--;
        }
    }

    /// <summary>A worker's answer to an activity. The first one counts.</summary>
    public async Task CompleteActivityAsync(ActivityResponse response, CancellationToken cancellationToken)
    {
        var key = (response.InstanceId, response.TaskId);
        if (!_activities.TryGetValue(key, out var activity)
            || (response.CompletionToken.Length > 0 && response.CompletionToken != activity.ExecutionId)
            || !_activities.TryRemove(KeyValuePair.Create(key, activity)))
            return;
        _dispatcher.Leave(activity);
        EnterNext(key);
        Telemetry.Ended(activity, response.FailureDetails, Time.GetUtcNow());
        if (activity.Answer is { } answer)
        {
            answer.TrySetResult(response);
            Keep(activity, response);
        }
        else if (await ResolveAsync(activity.InstanceId, activity.ExecutionId, ActivityEnd(activity.Scheduled, response, AppId), cancellationToken).ConfigureAwait(false) is { } durable)
        {
            await durable.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static (string Instance, int Task) KeyOf(ActivityTask activity) => (activity.InstanceId, activity.Scheduled.EventId);

    private static bool IsWanted(ActivityTask activity) => activity.Answer is null || activity.Askers > 0;

    private void Enter(ActivityTask activity)
    {
        var key = KeyOf(activity);
        ActivityTask? old;
        lock (_entering)
        {
            // An activity of an execution that is gone may be with a worker still; its answer will have no effect.
            // Another app's is not to be lost: workers could not tell the two apart.
            if (_activities.TryGetValue(key, out old) && IsWanted(old) && (old.Answer ?? activity.Answer) is not null && IsBehind(key, activity))
                return;
            _activities[key] = activity;
        }

        if (old is not null)
            _dispatcher.Leave(old);
        _dispatcher.Enter(activity);
    }

    // Counted before it looks once more, as an answer looks at the count after it has made room.
    private bool IsBehind((string Instance, int Task) key, ActivityTask activity)
    {
        Interlocked.Increment(ref _behindCount);
        if (_activities.ContainsKey(key))
        {
            if (!_behind.TryGetValue(key, out var queue))
                _behind.Add(key, queue = []);
            queue.Enqueue(activity);
            return true;
        }

        Interlocked.Decrement(ref _behindCount);
        return false;
    }

    private void EnterNext((string Instance, int Task) key)
    {
        if (Volatile.Read(ref _behindCount) == 0)
            return;
        ActivityTask? next = null;
        lock (_entering)
        {
            if (_activities.ContainsKey(key) || !_behind.TryGetValue(key, out var queue))
                return;
            while (next is null && queue.TryDequeue(out var first))
            {
                Interlocked.Decrement(ref _behindCount);
                if (IsWanted(first))
                    next = first;
            }

            if (queue.Count == 0)
                _behind.Remove(key);
            if (next is null)
                return;
            _activities[key] = next;
        }

        _dispatcher.Enter(next);
    }

    // Whether an activity of this app is with a worker or waits for one.
    private bool IsUnderWay(string id, int task)
    {
        if (_activities.TryGetValue((id, task), out var current) && current.Answer is null)
            return true;
        if (Volatile.Read(ref _behindCount) == 0)
            return false;
        lock (_entering)
            return _behind.TryGetValue((id, task), out var queue) && queue.Any(a => a.Answer is null);
    }

    // Whether it is still to be handed out.
    private bool TakeActivity(ActivityTask activity)
    {
        var key = KeyOf(activity);
        if (activity.Answer is null)
            return _activities.TryGetValue(key, out var own) && own == activity;
        lock (_entering)
        {
            if (!_activities.TryGetValue(key, out var current) || current != activity)
                return false;
            if (IsWanted(activity))
                return true;
            _activities.TryRemove(KeyValuePair.Create(key, activity));
        }

        EnterNext(key);
        return false;
    }

    private void Keep(ActivityTask activity, ActivityResponse response)
    {
        var key = (activity.InstanceId, activity.Scheduled.EventId, activity.ExecutionId);
        lock (_entering)
        {
            if (IsWanted(activity))
                return;
            _kept[key] = response;
        }

        Background(async () =>
        {
            await Task.Delay(AnswersAreKept, Time, _stopping.Token).ConfigureAwait(false);
            lock (_entering)
            {
                if (_kept.TryGetValue(key, out var kept) && ReferenceEquals(kept, response))
                    _kept.Remove(key);
            }
        });
    }
}
