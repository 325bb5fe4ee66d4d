using Dapr.Workflow;
using DaprPlatform.Contracts;
using DaprPlatform.Workflows.Activities;

namespace DaprPlatform.Workflows;

internal static class Compensation
{
    /// <summary>Runs the compensations in the order given, whatever becomes of each, and marks the order cancelled.</summary>
    /// <remarks>
    /// Payments are always voided: a customer may pay by another way than the workflow before it gets there, or while it waits for an approval, and must not be
    /// able to afterwards.
    /// </remarks>
    public static async Task<OrderResult> RunAsync(WorkflowContext context, string orderId, string reason, IReadOnlyCollection<string> begun)
    {
        var failures = new List<string>();
        IEnumerable<string> compensations = begun.Contains(nameof(RefundPayment)) ? begun : begun.Prepend(nameof(RefundPayment));
        foreach (var compensation in compensations)
        {
            context.SetCustomStatus(compensation);
            try
            {
                await context.CallActivityAsync<StepResult>(compensation, orderId, StepPolicies.Compensation);
            }
            catch (WorkflowTaskFailedException e)
            {
                failures.Add($"{compensation}: {e.FailureDetails.ErrorMessage}");
            }
        }
        context.SetCustomStatus(nameof(MarkCancelled));
        if (failures.Count > 0)
            reason = CancelReasons.CompensationFailed;
        await context.CallActivityAsync<StepResult>(nameof(MarkCancelled), new MarkCancelledInput(orderId, reason, failures), StepPolicies.Compensation);
        var status = failures.Count > 0 ? OrderResult.CompensationFailed : OrderResult.Cancelled;
        context.SetCustomStatus(status);
        return new OrderResult(status, reason, failures.Count > 0 ? failures : null);
    }
}
