namespace DaprPlatform.Workflows;

/// <summary>Input of <see cref="OrderWorkflow"/>. An id, not a document: the history holds it at every step.</summary>
public sealed record OrderPlaced(string OrderId);

/// <summary>Input of <see cref="CancelOrderWorkflow"/>.</summary>
/// <param name="Reason">One of <see cref="Contracts.CancelReasons"/>.</param>
public sealed record OrderCancellation(string OrderId, string Reason);

/// <summary>What became of the order.</summary>
/// <param name="Status"><see cref="Confirmed"/>, <see cref="Cancelled"/>, <see cref="CompensationFailed"/> or <see cref="AlreadyDecided"/>.</param>
/// <param name="Reason">Of a cancellation.</param>
/// <param name="Failures">The compensations that failed for good, with their messages.</param>
public sealed record OrderResult(string Status, string? Reason = null, IReadOnlyList<string>? Failures = null)
{
    public const string Confirmed = "Confirmed";
    public const string Cancelled = "Cancelled";
    public const string CompensationFailed = "CompensationFailed";

    /// <summary>The workflow was started again for an order whose end was written down before.</summary>
    public const string AlreadyDecided = "AlreadyDecided";
}

/// <summary>Payload of the event <see cref="OrderEvents.Cancel"/>.</summary>
public sealed record CancelRequested(string Reason);

/// <summary>Payload of the event <see cref="OrderEvents.Approval"/>.</summary>
public sealed record ApprovalDecision(bool Approved);

/// <summary>Names of the external events that <see cref="OrderWorkflow"/> takes.</summary>
public static class OrderEvents
{
    public const string Cancel = "cancel";
    public const string Approval = "approval";
}

/// <summary>What validation found.</summary>
/// <param name="Refusal">Null when the order may go on.</param>
/// <param name="AlreadyDecided">The order's status is final: this is a repetition, and there is nothing to do.</param>
/// <param name="ApprovalTimeoutSeconds">Above 0: a human has to approve within this time.</param>
internal sealed record Validation(string? Refusal = null, bool AlreadyDecided = false, int ApprovalTimeoutSeconds = 0);

/// <summary>The answer of a step. A refusal is a result, not a failure: it is not tried again.</summary>
/// <param name="Refusal">One of <see cref="Contracts.CancelReasons"/>, or null when the step was done.</param>
/// <param name="Detail">Of a charge that was captured: the payment's id.</param>
internal sealed record StepResult(string? Refusal = null, string? Detail = null);

internal sealed record ReserveInput(string OrderId, bool Hold);

internal sealed record ConfirmInput(string OrderId, string PaymentId);

/// <param name="Failures">Compensations that failed for good.</param>
internal sealed record MarkCancelledInput(string OrderId, string Reason, IReadOnlyList<string> Failures);
