using Dapr.Workflow;

namespace DaprPlatform.Workflows.Refunds;

/// <summary>
/// Returns money whose amount is set aside: send it, then write down that it went. The instance id is the refund's id. A refusal gives the amount free again;
/// so does a processor that cannot be reached, unless it says that the money has gone after all.
/// </summary>
internal sealed class RefundWorkflow : Workflow<RefundAccepted, RefundResult>
{
    private const string HasGone = "HAS_GONE";

    public override async Task<RefundResult> RunAsync(WorkflowContext context, RefundAccepted input)
    {
        var failures = new List<string>();
        var sent = await StepAsync(context, nameof(SendRefund), input.RefundId, StepPolicies.Forward, failures);
        var reason = sent is null ? RefundReasons.ProcessorUnreachable : sent.Refusal;
        if (reason is not null)
        {
            var abandoned = await StepAsync(context, nameof(AbandonRefund), new AbandonInput(input.RefundId, reason), StepPolicies.Compensation, failures);
            if (abandoned is null)
                return await FlagAsync(context, input.RefundId, failures);
            if (abandoned.Refusal is null)
                return Ended(context, new RefundResult(RefundResult.Refused, reason));
        }

        // The money has gone: giving up is not a way any more.
        return await StepAsync(context, nameof(CompleteRefund), input.RefundId, StepPolicies.Compensation, failures) is null
            ? await FlagAsync(context, input.RefundId, failures)
            : Ended(context, new RefundResult(RefundResult.Completed));
    }

    internal static StepResult Abandoned(bool hasGone) => new(hasGone ? HasGone : null);

    /// <summary>Null when the step failed for good.</summary>
    private static async Task<StepResult?> StepAsync(WorkflowContext context, string step, object input, WorkflowTaskOptions policy, List<string> failures)
    {
        context.SetCustomStatus(step);
        try
        {
            return await context.CallActivityAsync<StepResult>(step, input, policy);
        }
        catch (WorkflowTaskFailedException e)
        {
            failures.Add($"{step}: {e.FailureDetails.ErrorMessage}");
            return null;
        }
    }

    private static async Task<RefundResult> FlagAsync(WorkflowContext context, string refundId, List<string> failures)
    {
        context.SetCustomStatus(nameof(FlagRefund));
        await context.CallActivityAsync<StepResult>(nameof(FlagRefund), new FlagInput(refundId, failures), StepPolicies.Compensation);
        return Ended(context, new RefundResult(RefundResult.CompensationFailed, Failures: failures));
    }

    private static RefundResult Ended(WorkflowContext context, RefundResult result)
    {
        context.SetCustomStatus(result.Status);
        return result;
    }
}
