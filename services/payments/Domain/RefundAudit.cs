using DaprPlatform.Contracts;
using DaprPlatform.Payments.Data;

namespace DaprPlatform.Payments.Domain;

/// <summary>
/// What is on record of money that goes back: each refund when it is accepted, by whom, and what became of it. The subject is the payment; a refund's reason is
/// the customer's own words and stays out.
/// </summary>
internal static class RefundAudit
{
    public const string Accepted = "payment.refund";

    /// <summary>Who decides a refund after it was accepted.</summary>
    public const string Workflow = "RefundWorkflow";

    /// <summary>Who returns what a cancelled order had paid.</summary>
    public const string OrderWorkflow = "OrderWorkflow";

    public const string Voided = "payment.void";

    public static string Decided(RefundStatus status) => status switch
    {
        RefundStatus.Completed => "refund.completed",
        RefundStatus.Failed => "refund.given-up",
        RefundStatus.Attention => "refund.attention",
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, "A refund is not decided by this."),
    };

    public static object Details(PaymentRow payment, RefundRow refund) =>
        new { Refund = new RefundId(refund.Id).ToString(), Order = new OrderId(payment.OrderId).ToString(), refund.AmountMinor, payment.Currency };
}
