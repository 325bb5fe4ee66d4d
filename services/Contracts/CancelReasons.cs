namespace DaprPlatform.Contracts;

/// <summary>Why an order was cancelled, as shown to the customer and in events.</summary>
public static class CancelReasons
{
    public const string OutOfStock = "OUT_OF_STOCK";
    public const string PaymentDeclined = "PAYMENT_DECLINED";
    public const string ApprovalRejected = "APPROVAL_REJECTED";
    public const string ApprovalTimeout = "APPROVAL_TIMEOUT";
    public const string CancelledByCustomer = "CANCELLED_BY_CUSTOMER";
    public const string InvalidOrder = "INVALID_ORDER";
    /// <summary>A step failed again and again, for longer than any outage should last.</summary>
    public const string StepFailed = "STEP_FAILED";

    /// <summary>Stock or money could not be returned; somebody has to look.</summary>
    public const string CompensationFailed = "COMPENSATION_FAILED";
}
