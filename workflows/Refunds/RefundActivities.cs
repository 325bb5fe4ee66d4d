using Dapr.Workflow;
using DaprPlatform.Contracts;

namespace DaprPlatform.Workflows.Refunds;

/// <summary>Has the processor return the money. A refusal is a result.</summary>
internal sealed class SendRefund(IRefundLedger ledger) : WorkflowActivity<string, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, string refundId) =>
        new(await ledger.SendAsync(RefundIds.Parse(refundId), CancellationToken.None));
}

/// <summary>Writes down that the money went and tells the world, in one transaction.</summary>
internal sealed class CompleteRefund(IRefundLedger ledger) : WorkflowActivity<string, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, string refundId)
    {
        await ledger.CompleteAsync(RefundIds.Parse(refundId), CancellationToken.None);
        return new StepResult();
    }
}

/// <summary>Undoes the refund, unless the money has gone.</summary>
internal sealed class AbandonRefund(IRefundLedger ledger) : WorkflowActivity<AbandonInput, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, AbandonInput input) =>
        RefundWorkflow.Abandoned(hasGone: !await ledger.AbandonAsync(RefundIds.Parse(input.RefundId), input.Reason, CancellationToken.None));
}

/// <summary>Calls for somebody.</summary>
internal sealed class FlagRefund(IRefundLedger ledger) : WorkflowActivity<FlagInput, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, FlagInput input)
    {
        await ledger.FlagAsync(RefundIds.Parse(input.RefundId), input.Failures, CancellationToken.None);
        return new StepResult();
    }
}

internal static class RefundIds
{
    public static RefundId Parse(string text) => RefundId.TryParse(text, out var id) ? id : throw new ArgumentException($"'{text}' is not a refund id.", nameof(text));
}
