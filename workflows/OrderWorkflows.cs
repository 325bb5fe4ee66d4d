using Dapr.Workflow;
using DaprPlatform.Workflows.Activities;

namespace DaprPlatform.Workflows;

/// <summary>Registers the workflows of orders with their activities.</summary>
public static class OrderWorkflows
{
    public const string Order = nameof(OrderWorkflow);
    public const string CancelOrder = nameof(CancelOrderWorkflow);

    /// <summary>Instance id of the workflow that cancels a confirmed order.</summary>
    public static string CancellationId(string orderId) => orderId + "-cancel";

    public static void Register(WorkflowRuntimeOptions options)
    {
        options.RegisterWorkflow<OrderWorkflow>();
        options.RegisterWorkflow<CancelOrderWorkflow>();
        options.RegisterActivity<ValidateOrder>();
        options.RegisterActivity<ReserveStock>();
        options.RegisterActivity<HoldStock>();
        options.RegisterActivity<AuthorizePayment>();
        options.RegisterActivity<CommitStock>();
        options.RegisterActivity<ConfirmOrder>();
        options.RegisterActivity<ReleaseStock>();
        options.RegisterActivity<RefundPayment>();
        options.RegisterActivity<Restock>();
        options.RegisterActivity<MarkCancelled>();
    }
}
