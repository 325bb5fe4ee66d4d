using DaprPlatform.Contracts;
using OrderMessage = DaprPlatform.Contracts.Orders.Order;

namespace DaprPlatform.Orders.Domain;

/// <summary>Callers that wait for an order to be decided. Woken by this process; what another replica decides they find by looking again.</summary>
internal sealed class OrderWaiters
{
    private readonly Dictionary<OrderId, Waiter> _waiting = [];
    private readonly TimeProvider _time;
    private bool _stopping;

    public OrderWaiters(TimeProvider time, IHostApplicationLifetime lifetime)
    {
        _time = time;
        lifetime.ApplicationStopping.Register(Stop);
    }

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
    /// Whether there is nothing to wait for any more: the order is decided, and where that was while this caller waited, as what, or this process stops and its successor
    /// decides. Otherwise, after <paramref name="atMost"/>, another replica may have decided it.
    /// </summary>
    /// <param name="isDecided">Asked once this caller is listening, so that a decision made just before is not missed.</param>
    public async Task<(bool IsOver, OrderMessage? Outcome)> WaitAsync(OrderId order, TimeSpan atMost, Func<OrderId, CancellationToken, Task<bool>> isDecided, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_waiting)
        {
            if (_stopping)
                return (true, null);
            if (!_waiting.TryGetValue(order, out waiter!))
                _waiting[order] = waiter = new Waiter();
            waiter.Callers++;
        }
        try
        {
            return await isDecided(order, cancellationToken) ? (true, null) : (true, await waiter.Decided.Task.WaitAsync(atMost, _time, cancellationToken));
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

    private void Stop()
    {
        Waiter[] left;
        lock (_waiting)
        {
            _stopping = true;
            left = [.. _waiting.Values];
            _waiting.Clear();
        }
        foreach (var waiter in left)
            waiter.Decided.TrySetResult(null);
    }

    private sealed class Waiter
    {
        public TaskCompletionSource<OrderMessage?> Decided { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Callers { get; set; }
    }
}
