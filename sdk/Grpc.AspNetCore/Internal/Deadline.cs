namespace Grpc.AspNetCore.Server.Internal;

/// <summary>
/// The time limit of a call. When it passes, the client is told and the call's token cancelled, whatever the handler does;
/// the handler's outcome then no longer counts.
/// </summary>
internal sealed class Deadline
{
    readonly HttpContextServerCallContext _call;
    readonly ResponseGate _gate;
    readonly TimeSpan _timeout;
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Lock _lock = new();
    CancellationTokenSource? _cancellation;
    CancellationTokenRegistration _aborted;
    ITimer? _timer;
    bool _stopped;
    volatile bool _passed;

    Deadline(HttpContextServerCallContext call, ResponseGate gate, TimeSpan timeout)
    {
        _call = call;
        _gate = gate;
        _timeout = timeout;
        var now = Clock.GetUtcNow().UtcDateTime;
        Time = timeout < DateTime.MaxValue - now ? now + timeout : DateTime.MaxValue;
    }

    /// <summary>The point in time, UTC.</summary>
    public DateTime Time { get; }

    public bool HasPassed => _passed;

    /// <summary>Ends when the client has been told that the deadline passed.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Cancelled when the deadline passes or the client goes away.</summary>
    public CancellationToken Token
    {
        get
        {
            lock (_lock)
            {
                if (_cancellation is null)
                {
                    _cancellation = new CancellationTokenSource();
                    if (_passed)
                        _cancellation.Cancel();
                    else
                        _aborted = _call.HttpContext.RequestAborted.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _cancellation);
                }

                return _cancellation.Token;
            }
        }
    }

    TimeProvider Clock => _call.Settings.TimeProvider;

    public static Deadline Start(HttpContextServerCallContext call, ResponseGate gate, TimeSpan timeout)
    {
        var deadline = new Deadline(call, gate, timeout);
        if (deadline.Time == DateTime.MaxValue)
            return deadline;
        var timer = deadline.Clock.CreateTimer(static deadline => ((Deadline)deadline!).OnTimer(), deadline, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        deadline._timer = timer;
        timer.Change(DueTime(timeout), Timeout.InfiniteTimeSpan);
        return deadline;
    }

    /// <summary>The call has ended in time.</summary>
    public void Stop()
    {
        lock (_lock)
            _stopped = true;
        _timer?.Dispose();
        _aborted.Unregister();
    }

    void OnTimer()
    {
        // A timer may be early, and its longest time is shorter than the longest deadline.
        var remaining = Time - Clock.GetUtcNow().UtcDateTime;
        if (remaining > TimeSpan.Zero)
        {
            lock (_lock)
            {
                if (!_stopped)
                    _timer!.Change(DueTime(remaining), Timeout.InfiniteTimeSpan);
            }

            return;
        }

        // Three cases: nothing is being written, so the end is made here; a write hangs, so it is broken off; the call is over.
        while (!_gate.HasEnded)
        {
            if (_gate.TryExpire())
            {
                _ = EndAsync();
                return;
            }

            if (_gate.DuringWrite(BreakOff))
            {
                Cancel();
                return;
            }
        }
    }

    async Task EndAsync()
    {
        try
        {
            lock (_lock)
                _passed = true;
            var told = _call.EndForDeadlineAsync(_timeout);
            Cancel();
            await told;
        }
        catch (Exception e)
        {
            // The client is gone, which is one way of being told.
            ServerLog.Cancelled(_call.Settings.Logger, _call.Method, e);
        }
        finally
        {
            _timer?.Dispose();
            _ended.TrySetResult();
        }
    }

    void BreakOff()
    {
        lock (_lock)
            _passed = true;
        _call.ResetForDeadline();
    }

    void Cancel()
    {
        CancellationTokenSource? cancellation;
        lock (_lock)
            cancellation = _cancellation;
        try
        {
            cancellation?.Cancel();
        }
        catch (AggregateException e)
        {
            ServerLog.HandlerFailed(_call.Settings.Logger, e, _call.Method);
        }
    }

    static TimeSpan DueTime(TimeSpan remaining) => TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(remaining.TotalMilliseconds), 0, int.MaxValue));
}
