using System.Diagnostics;

namespace Dapr.Workflow.Worker;

/// <summary>
/// Keeps a turn's code on the turn's thread: what is posted waits here until <see cref="Drain"/> runs it. Posts from other threads are possible
/// when workflow code awaits something that is not durable.
/// </summary>
internal sealed class TurnPump : SynchronizationContext
{
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _posted = new();
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private bool _signalled;

    public bool OnTurnThread => Environment.CurrentManagedThreadId == _thread;

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_posted)
        {
            _posted.Enqueue((d, state));
            Monitor.Pulse(_posted);
        }
    }

    public override void Send(SendOrPostCallback d, object? state)
    {
        if (!OnTurnThread)
            throw new NotSupportedException("Workflow code cannot be entered from another thread.");
        d(state);
    }

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>Runs what was posted, and what that posts in turn, with this as the current context.</summary>
    public void Drain()
    {
        while (true)
        {
            (SendOrPostCallback Callback, object? State) next;
            lock (_posted)
            {
                if (!_posted.TryDequeue(out next))
                    return;
            }

            SetSynchronizationContext(this);
            try
            {
                next.Callback(next.State);
            }
            finally
            {
                SetSynchronizationContext(null);
            }
        }
    }

    /// <summary>Ends a <see cref="WaitForWork"/> that is under way or comes next.</summary>
    public void Signal()
    {
        lock (_posted)
        {
            _signalled = true;
            Monitor.Pulse(_posted);
        }
    }

    /// <summary>Blocks until something is posted or signalled; false if nothing was within <paramref name="limit"/>.</summary>
    public bool WaitForWork(TimeSpan limit)
    {
        var start = Stopwatch.GetTimestamp();
        lock (_posted)
        {
            while (_posted.Count == 0 && !_signalled)
            {
                var left = limit - Stopwatch.GetElapsedTime(start);
                if (left <= TimeSpan.Zero || !Monitor.Wait(_posted, left))
                    return _posted.Count > 0 || _signalled;
            }

            _signalled = false;
            return true;
        }
    }
}
