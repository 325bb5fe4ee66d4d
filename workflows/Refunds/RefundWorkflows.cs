using Dapr.Workflow;

namespace DaprPlatform.Workflows.Refunds;

/// <summary>Registers the workflow of refunds with its activities.</summary>
public static class RefundWorkflows
{
    public const string Refund = nameof(RefundWorkflow);

    public static void Register(WorkflowRuntimeOptions options)
    {
        options.RegisterWorkflow<RefundWorkflow>();
        options.RegisterActivity<SendRefund>();
        options.RegisterActivity<CompleteRefund>();
        options.RegisterActivity<AbandonRefund>();
        options.RegisterActivity<FlagRefund>();
    }
}
