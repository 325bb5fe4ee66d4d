using Dapr.Workflow;
using DaprPlatform.Contracts;

namespace DaprPlatform.Workflows.Activities;

/// <summary>Checks that the order is still to be decided and adds up, and whether a human has to approve it.</summary>
internal sealed class ValidateOrder(IOrderLedger ledger) : WorkflowActivity<string, Validation>
{
    public override async Task<Validation> RunAsync(WorkflowActivityContext context, string orderId)
    {
        var id = OrderIds.Parse(orderId);
        var state = await ledger.FindStateAsync(id, CancellationToken.None);
        if (state is null)
            return new Validation(CancelReasons.InvalidOrder);
        if (!state.Pending)
            return new Validation(AlreadyDecided: true);
        if (state.CancelRequested)
            return new Validation(CancelReasons.CancelledByCustomer);
        var facts = await ledger.GetFactsAsync(id, CancellationToken.None);
        if (facts.Lines.Count == 0 || facts.Lines.Aggregate(Money.Zero(facts.Total.Currency), (sum, l) => sum + (l.UnitPrice * l.Quantity)) != facts.Total)
            return new Validation(CancelReasons.InvalidOrder);
        if (facts.Total.Minor <= ledger.ApprovalThreshold)
            return new Validation();
        await ledger.RequestApprovalAsync(id, CancellationToken.None);
        return new Validation(ApprovalTimeoutSeconds: Math.Max(1, (int)ledger.ApprovalTimeout.TotalSeconds));
    }
}
