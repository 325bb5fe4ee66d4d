using DaprPlatform.Contracts;
using DaprPlatform.ServiceDefaults.Problems;

namespace DaprPlatform.Orders.Domain;

/// <summary>An accepted order. Changes its status only by the machine, and keeps every status it had.</summary>
internal sealed class Order
{
    public required Guid Id { get; init; }

    public required Guid UserId { get; init; }

    /// <summary>1, 2, 3 … of the user, without gaps.</summary>
    public required long Number { get; init; }

    public OrderStatus Status { get; private set; }

    /// <summary>Of <see cref="OrderModes"/>.</summary>
    public string Mode { get; init; } = OrderModes.Orchestrated;

    public required string Currency { get; init; }

    public required long TotalMinor { get; init; }

    public required string ShippingAddress { get; init; }

    public required string PaymentMethod { get; init; }

    public required string PaymentToken { get; init; }

    public Guid? PaymentId { get; private set; }

    /// <summary>Of the payment, in minor units; as far as payments has told.</summary>
    public long RefundedMinor { get; private set; }

    /// <summary>Why it was cancelled.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>What somebody has to look at: compensations that failed for good.</summary>
    public string Attention { get; private set; } = "";

    public Approval Approval { get; private set; }

    public DateTimeOffset? CancelRequestedAt { get; private set; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset UpdatedAt { get; private set; }

    public List<OrderLine> Lines { get; init; } = [];

    public List<StatusEntry> History { get; init; } = [];

    /// <summary>Entries of <see cref="History"/>, which is not always loaded.</summary>
    public int HistoryLength { get; private set; }

    /// <summary>A workflow of its id runs and waits for events.</summary>
    public bool IsDrivenByWorkflow => Status == OrderStatus.Pending && Mode == OrderModes.Orchestrated;

    public bool IsCancellable => Status is OrderStatus.Pending or OrderStatus.Confirmed or OrderStatus.Processing;

    /// <summary>Writes the first status.</summary>
    public void Accept() => Enter(OrderStatus.Pending, "", CreatedAt);

    /// <summary>False when its cancellation was requested before. Confirming twice is once.</summary>
    public bool TryConfirm(PaymentId? payment, DateTimeOffset now)
    {
        if (Status is not OrderStatus.Pending)
            return Status is not OrderStatus.Cancelled;
        if (CancelRequestedAt is not null)
            return false;
        PaymentId = payment?.Value;
        Enter(OrderStatus.Confirmed, "", now);
        return true;
    }

    /// <summary>False when there was nothing to do.</summary>
    public bool TryCancel(string reason, string attention, DateTimeOffset now)
    {
        if (Status == OrderStatus.Cancelled)
            return false;
        Reason = reason;
        Attention = attention;
        if (Approval == Approval.Requested)
            Approval = Approval.Lapsed;
        Enter(OrderStatus.Cancelled, reason, now);
        return true;
    }

    /// <exception cref="ProblemException">409: shipped, delivered or cancelled.</exception>
    public void RequestCancellation(DateTimeOffset now)
    {
        if (!IsCancellable)
            throw Refusals.Conflict("order-not-cancellable", $"The order is {Status.Text()}.");
        CancelRequestedAt ??= now;
    }

    /// <summary>Processing, shipped, delivered.</summary>
    /// <exception cref="ProblemException">409: not from here, or it is being cancelled.</exception>
    public void MoveTo(OrderStatus status, DateTimeOffset now)
    {
        if (status is OrderStatus.Confirmed or OrderStatus.Cancelled or OrderStatus.Pending || !OrderStatusMachine.CanMove(Status, status) || CancelRequestedAt is not null)
            throw Refusals.Conflict("illegal-transition", $"An order that is {(CancelRequestedAt is null ? Status.Text() : "being cancelled")} cannot become {status.Text()}.");
        Enter(status, "", now);
    }

    public void RequestApproval()
    {
        if (Approval == Approval.None && Status == OrderStatus.Pending)
            Approval = Approval.Requested;
    }

    /// <exception cref="ProblemException">409: nobody waits for a decision, or another one was made.</exception>
    public void DecideApproval(bool approved)
    {
        var decision = approved ? Approval.Approved : Approval.Rejected;
        if (Approval != Approval.Requested && Approval != decision)
            throw Refusals.Conflict("approval-not-pending", "The order does not wait for approval.");
        Approval = decision;
    }

    private void Enter(OrderStatus status, string reason, DateTimeOffset now)
    {
        if (HistoryLength > 0 && !OrderStatusMachine.CanMove(Status, status))
            throw new InvalidOperationException($"An order cannot go from {Status} to {status}.");
        Status = status;
        UpdatedAt = now;
        History.Add(new StatusEntry { OrderId = Id, Position = ++HistoryLength, Status = status, Reason = reason, At = now });
    }
}

internal sealed class OrderLine
{
    public Guid OrderId { get; init; }

    public required int Position { get; init; }

    public required string Sku { get; init; }

    public required string Name { get; init; }

    public required int Quantity { get; init; }

    public required long UnitPriceMinor { get; init; }
}

internal sealed class StatusEntry
{
    public Guid OrderId { get; init; }

    public required int Position { get; init; }

    public required OrderStatus Status { get; init; }

    public required string Reason { get; init; }

    public required DateTimeOffset At { get; init; }
}

internal enum Approval
{
    None,
    Requested,
    Approved,
    Rejected,

    /// <summary>The order ended before anybody decided.</summary>
    Lapsed,
}
