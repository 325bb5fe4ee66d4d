namespace Sdk.Workflow.Tests;

/// <summary>Time that passes when the test says so.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private readonly List<(TimeSpan Due, TaskCompletionSource Seen)> _watchers = [];
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
            return _now;
    }

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Completes when somebody waits for just so long.</summary>
    public Task WaitedForAsync(TimeSpan due)
    {
        lock (_gate)
        {
            if (_timers.Any(timer => timer.SetTo == due))
                return Task.CompletedTask;
            var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _watchers.Add((due, seen));
            return seen.Task.WaitAsync(TestContext.Current.CancellationToken);
        }
    }

    public void Advance(TimeSpan by)
    {
        List<Action> due = [];
        lock (_gate)
        {
            _now += by;
            foreach (var timer in _timers.ToArray())
            {
                if (timer.Due > _now)
                    continue;
                due.Add(timer.Callback);
                if (timer.Period > TimeSpan.Zero)
                    timer.Due += timer.Period;
                else
                    _timers.Remove(timer);
            }
        }

        foreach (var callback in due)
            callback();
    }

    private sealed class ManualTimer(ManualTime time, Action callback) : ITimer
    {
        public Action Callback => callback;

        public DateTimeOffset Due { get; set; }

        public TimeSpan SetTo { get; private set; }

        public TimeSpan Period { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                time._timers.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan)
                    return true;
                SetTo = dueTime;
                Due = time._now + dueTime;
                Period = period;
                time._timers.Add(this);
                foreach (var watcher in time._watchers.Where(watcher => watcher.Due == dueTime).ToArray())
                {
                    time._watchers.Remove(watcher);
                    watcher.Seen.TrySetResult();
                }
            }

            return true;
        }

        public void Dispose()
        {
            lock (time._gate)
                time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
