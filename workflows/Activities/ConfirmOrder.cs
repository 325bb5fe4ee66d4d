using Dapr.Workflow;
using DaprPlatform.Contracts;

namespace DaprPlatform.Workflows.Activities;

/// <summary>
/// Confirms the order, unless its cancellation came first. Notifying is part of it: the event goes into the outbox in the same transaction, and
/// notifications sends the message when it arrives.
/// </summary>
internal sealed class ConfirmOrder(IOrderLedger ledger) : WorkflowActivity<ConfirmInput, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, ConfirmInput input) =>
        await ledger.ConfirmAsync(OrderIds.Parse(input.OrderId), input.PaymentId, CancellationToken.None)
            ? new StepResult()
            : new StepResult(CancelReasons.CancelledByCustomer);
}
