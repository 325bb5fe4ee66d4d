using Dapr.Workflow;
using DaprPlatform.Contracts.Inventory;

namespace DaprPlatform.Workflows.Activities;

/// <summary>Stops the clock of a reservation that waited for approval, so that it cannot expire between payment and commit.</summary>
internal sealed class HoldStock(Stock.StockClient stock) : WorkflowActivity<string, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, string orderId) =>
        (await stock.HoldAsync(new ReservationRequest { OrderId = orderId })).ToStep();
}
