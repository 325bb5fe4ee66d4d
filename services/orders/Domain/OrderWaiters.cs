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

    /// <summary>Returns when the order is decided, or after <paramref name="atMost"/>.</summary>
    /// <param name="isDecided">Asked once this caller is listening, so that a decision made just before is not missed.</param>
    public async Task WaitAsync(OrderId order, TimeSpan atMost, Func<OrderId, CancellationToken, Task<bool>> isDecided, CancellationToken cancellationToken)
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
        }
        catch (TimeoutException)
        {
            // The caller looks again.
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
