using DaprPlatform.Contracts;

namespace DaprPlatform.Orders.Domain;

/// <summary>Callers that wait for an order to be decided. Woken by this process; what another replica decides they find by looking again.</summary>
internal sealed class OrderWaiters(TimeProvider time)
{
    private readonly Dictionary<OrderId, Waiter> _waiting = [];

    /// <summary>Orders that somebody waits for.</summary>
    public int Count
    {
        get
        {
            lock (_waiting)
                return _waiting.Count;
        }
    }

    /// <summary>True when the order is decided, false after <paramref name="atMost"/>: another replica may have decided it.</summary>
    /// <param name="isDecided">Asked once this caller is listening, so that a decision made just before is not missed.</param>
    public async Task<bool> WaitAsync(OrderId order, TimeSpan atMost, Func<OrderId, CancellationToken, Task<bool>> isDecided, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_waiting)
        {
            if (!_waiting.TryGetValue(order, out waiter!))
                _waiting[order] = waiter = new Waiter();
            waiter.Callers++;
        }
        try
        {
            if (!await isDecided(order, cancellationToken))
                await waiter.Decided.Task.WaitAsync(atMost, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
        finally
        {
            lock (_waiting)
                if (--waiter.Callers == 0 && _waiting.GetValueOrDefault(order) == waiter)
                    _waiting.Remove(order);
        }
    }

    public void Decided(OrderId order)
    {
        Waiter? waiter;
        lock (_waiting)
            _waiting.Remove(order, out waiter);
        waiter?.Decided.TrySetResult();
    }

    private sealed class Waiter
    {
        public TaskCompletionSource Decided { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Callers { get; set; }
    }
}
