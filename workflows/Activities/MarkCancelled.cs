using Dapr.Workflow;

namespace DaprPlatform.Workflows.Activities;

/// <summary>Writes the end of a given-up order down and tells the world, in one transaction.</summary>
internal sealed class MarkCancelled(IOrderLedger ledger) : WorkflowActivity<MarkCancelledInput, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, MarkCancelledInput input)
    {
        await ledger.CancelAsync(OrderIds.Parse(input.OrderId), input.Reason, input.Failures, CancellationToken.None);
        return new StepResult();
    }
}
