using DaprPlatform.Contracts;

namespace DaprPlatform.Workflows;

/// <summary>The orders database, as the workflow's activities need it. Every change is idempotent.</summary>
public interface IOrderLedger
{
    /// <summary>Null when there is no such order.</summary>
    Task<OrderState?> FindStateAsync(OrderId order, CancellationToken cancellationToken);

    /// <summary>What never changes about an order.</summary>
    /// <exception cref="InvalidOperationException">There is no such order.</exception>
    Task<OrderFacts> GetFactsAsync(OrderId order, CancellationToken cancellationToken);

    /// <summary>Notes that an operator has to decide.</summary>
    Task RequestApprovalAsync(OrderId order, CancellationToken cancellationToken);

    /// <summary>Confirms the order and, in the same transaction, tells the world. False when its cancellation was requested before.</summary>
    Task<bool> ConfirmAsync(OrderId order, string paymentId, CancellationToken cancellationToken);

    /// <summary>Cancels the order and, in the same transaction, tells the world.</summary>
    Task CancelAsync(OrderId order, string reason, IReadOnlyList<string> failures, CancellationToken cancellationToken);

    /// <summary>Total above which an operator has to approve, in minor units.</summary>
    long ApprovalThreshold { get; }

    TimeSpan ApprovalTimeout { get; }
}

/// <param name="Pending">False once the order is confirmed, cancelled or further.</param>
/// <param name="CancelRequested">The customer does not want it any more.</param>
public sealed record OrderState(bool Pending, bool CancelRequested);

/// <param name="Lines">Each SKU once.</param>
public sealed record OrderFacts(UserId User, Money Total, string PaymentMethod, string PaymentToken, IReadOnlyList<OrderLineFact> Lines);

public sealed record OrderLineFact(string Sku, int Quantity, Money UnitPrice);
