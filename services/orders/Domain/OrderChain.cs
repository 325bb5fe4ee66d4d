using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Workflows;
using Outcome = DaprPlatform.Contracts.Inventory.ReservationResult.Types.Outcome;

namespace DaprPlatform.Orders.Domain;

/// <summary>
/// The end of the chain of events by which choreographed orders are decided: inventory reserves on <c>order_created</c>, payments charges on
/// <c>stock_reserved</c>, and this decides on what they tell. Every step is keyed by the order, as those of the workflow are, so that an event that comes twice
/// changes nothing, and an order whose chain broke is finished by the workflow (<see cref="StuckOrderSweep"/>).
/// </summary>
internal sealed class OrderChain(IOrderLedger ledger, Stock.StockClient stock, WorkflowStarter workflows)
{
    /// <summary>The money is there: the stock is sold, then the order is confirmed.</summary>
    public async Task PaidAsync(OrderId order, string paymentId, CancellationToken cancellationToken)
    {
        if (await ledger.FindStateAsync(order, cancellationToken) is not { Pending: true, CancelRequested: false })
            return;
        var committed = await stock.CommitAsync(new ReservationRequest { OrderId = order.ToString() }, cancellationToken: cancellationToken);
        if (committed.Outcome != Outcome.Done)
        {
            await GiveUpAsync(order, CancelReasons.OutOfStock, cancellationToken);
            return;
        }
        // False: the customer's cancellation came first, and its workflow takes back what was just sold.
        await ledger.ConfirmAsync(order, paymentId, cancellationToken);
    }

    /// <summary>Takes back whatever was done for the order and cancels it, by the workflow that has the patience for it.</summary>
    public async Task GiveUpAsync(OrderId order, string reason, CancellationToken cancellationToken)
    {
        if (await ledger.FindStateAsync(order, cancellationToken) is { Pending: true })
            await workflows.GiveUpAsync(order, reason, cancellationToken);
    }
}
