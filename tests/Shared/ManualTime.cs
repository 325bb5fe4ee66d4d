namespace DaprPlatform.Testing;

/// <summary>
/// A clock that stands until a test moves it; timers fire when it passes them, those set to no time at all at once. It tells who waits, so that a test moves it only when somebody does.
/// </summary>
internal sealed class ManualTime(DateTimeOffset? start = null) : TimeProvider
{
    public static readonly DateTimeOffset DefaultStart = new(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly Lock _lock = new();
    private readonly List<ManualTimer> _timers = [];
    private readonly List<(TimeSpan Length, TaskCompletionSource Set)> _watchers = [];
    private DateTimeOffset _now = start ?? DefaultStart;
    private TaskCompletionSource<TimeSpan> _waiting = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Timers that are set.</summary>
    public int PendingTimers
    {
        get
        {
            lock (_lock)
                return _timers.Count;
        }
    }

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
            return _now;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the clock and fires, on the caller's thread, each timer that is due by then once.</summary>
    public void Advance(TimeSpan by)
    {
        List<ManualTimer> due;
        lock (_lock)
        {
            _now += by;
            due = [.. _timers.Where(timer => timer.Due <= _now)];
            foreach (var timer in due)
            {
                if (timer.Period > TimeSpan.Zero)
                    timer.Due += timer.Period;
                else
                    _timers.Remove(timer);
            }
        }

        foreach (var timer in due)
            timer.Fire();
    }

    /// <summary>Completes when somebody waits for exactly this long.</summary>
    public Task WaitedForAsync(TimeSpan length)
    {
        lock (_lock)
        {
            if (_timers.Exists(timer => timer.Length == length))
                return Task.CompletedTask;
            var set = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _watchers.Add((length, set));
            return set.Task.WaitAsync(Xunit.TestContext.Current.CancellationToken);
        }
    }

    /// <summary>How long somebody waits next; each wait is handed out once.</summary>
    public async Task<TimeSpan> NextWaitAsync(CancellationToken cancel)
    {
        Task<TimeSpan> waiting;
        lock (_lock)
            waiting = _waiting.Task;
        var length = await waiting.WaitAsync(cancel);
        lock (_lock)
            _waiting = new TaskCompletionSource<TimeSpan>(TaskCreationOptions.RunContinuationsAsynchronously);
        return length;
    }

    private bool Set(ManualTimer timer, TimeSpan length, TimeSpan period)
    {
        lock (_lock)
        {
            _timers.Remove(timer);
            if (length == Timeout.InfiniteTimeSpan)
                return true;
            timer.Length = length;
            timer.Period = period;
            timer.Due = _now + length;
            if (length > TimeSpan.Zero || period > TimeSpan.Zero)
                _timers.Add(timer);
            foreach (var (_, set) in _watchers.Where(watcher => watcher.Length == length))
                set.TrySetResult();
            _watchers.RemoveAll(watcher => watcher.Length == length);
            _waiting.TrySetResult(length);
        }

        if (length == TimeSpan.Zero)
            ThreadPool.QueueUserWorkItem(_ => timer.Fire());
        return true;
    }

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        public TimeSpan Length { get; set; }

        public TimeSpan Period { get; set; }

        public DateTimeOffset Due { get; set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period) => time.Set(this, dueTime, period);

        public void Dispose() => time.Set(this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
