using Dapr.Workflow;
using DaprPlatform.Contracts.Payments;

namespace DaprPlatform.Workflows.Activities;

/// <summary>Undoes <see cref="AuthorizePayment"/>. If nothing was captured, a capture that comes late is refused.</summary>
internal sealed class RefundPayment(Charges.ChargesClient charges) : WorkflowActivity<string, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, string orderId)
    {
        await charges.VoidAsync(new VoidRequest { OrderId = orderId, Reason = "order cancelled" });
        return new StepResult();
    }
}
