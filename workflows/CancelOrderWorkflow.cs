using Dapr.Workflow;
using DaprPlatform.Workflows.Activities;

namespace DaprPlatform.Workflows;

/// <summary>
/// Takes a confirmed order back, up to its shipment. <see cref="OrderWorkflow"/> has ended by then; this runs the same compensations in the same order.
/// </summary>
internal sealed class CancelOrderWorkflow : Workflow<OrderCancellation, OrderResult>
{
    public override Task<OrderResult> RunAsync(WorkflowContext context, OrderCancellation input) =>
        Compensation.RunAsync(context, input.OrderId, input.Reason, [nameof(Restock), nameof(RefundPayment)]);
}
