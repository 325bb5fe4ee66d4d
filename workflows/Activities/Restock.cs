using Dapr.Workflow;
using DaprPlatform.Contracts.Inventory;

namespace DaprPlatform.Workflows.Activities;

/// <summary>Undoes <see cref="CommitStock"/>, and the reservation below it: what was sold or set aside is available again, and a late commit is refused.</summary>
internal sealed class Restock(Stock.StockClient stock) : WorkflowActivity<string, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, string orderId)
    {
        await stock.RestockAsync(new ReservationRequest { OrderId = orderId });
        return new StepResult();
    }
}
