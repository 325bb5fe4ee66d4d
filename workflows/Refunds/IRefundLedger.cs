using DaprPlatform.Contracts;

namespace DaprPlatform.Workflows.Refunds;

/// <summary>The payments database and the processor behind it, as the activities of <see cref="RefundWorkflow"/> need them. Every change is idempotent.</summary>
public interface IRefundLedger
{
    /// <summary>Has the processor return the money, once however often it is asked. Null, or why it never will.</summary>
    Task<string?> SendAsync(RefundId refund, CancellationToken cancellationToken);

    /// <summary>Writes down that the money went and, in the same transaction, tells the world.</summary>
    Task CompleteAsync(RefundId refund, CancellationToken cancellationToken);

    /// <summary>Gives the refund up: its amount may be refunded again. False when the money has gone after all.</summary>
    Task<bool> AbandonAsync(RefundId refund, string reason, CancellationToken cancellationToken);

    /// <summary>Nobody knows where the money is: keeps the amount aside and calls for somebody.</summary>
    Task FlagAsync(RefundId refund, IReadOnlyList<string> failures, CancellationToken cancellationToken);
}
