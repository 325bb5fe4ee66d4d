using Dapr.Workflow;
using DaprPlatform.Contracts.Inventory;

namespace DaprPlatform.Workflows.Activities;

/// <summary>Undoes <see cref="ReserveStock"/>. If nothing is reserved, a reservation that comes late is refused.</summary>
internal sealed class ReleaseStock(Stock.StockClient stock) : WorkflowActivity<string, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, string orderId)
    {
        await stock.ReleaseAsync(new ReservationRequest { OrderId = orderId });
        return new StepResult();
    }
}
