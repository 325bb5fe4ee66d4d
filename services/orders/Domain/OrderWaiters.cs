using DaprPlatform.Contracts;
using OrderMessage = DaprPlatform.Contracts.Orders.Order;

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

    /// <summary>
    /// Whether the order is decided, and where it was decided while this caller waited, as what; not decided after <paramref name="atMost"/>: another replica may have
    /// decided it.
    /// </summary>
    /// <param name="isDecided">Asked once this caller is listening, so that a decision made just before is not missed.</param>
    public async Task<(bool IsDecided, OrderMessage? Outcome)> WaitAsync(OrderId order, TimeSpan atMost, Func<OrderId, CancellationToken, Task<bool>> isDecided, CancellationToken cancellationToken)
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
            return await isDecided(order, cancellationToken) ? (true, null) : (true, await waiter.Decided.Task.WaitAsync(atMost, time, cancellationToken));
        }
        catch (TimeoutException)
        {
            return (false, null);
        }
        finally
        {
            lock (_waiting)
                if (--waiter.Callers == 0 && _waiting.GetValueOrDefault(order) == waiter)
                    _waiting.Remove(order);
        }
    }

    /// <param name="order">Which.</param>
    /// <param name="outcome">The order as it is now, where that is known; read only.</param>
    public void Decided(OrderId order, OrderMessage? outcome = null)
    {
        Waiter? waiter;
        lock (_waiting)
            _waiting.Remove(order, out waiter);
        waiter?.Decided.TrySetResult(outcome);
    }

    private sealed class Waiter
    {
        public TaskCompletionSource<OrderMessage?> Decided { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Callers { get; set; }
    }
}
