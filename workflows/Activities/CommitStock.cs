using Dapr.Workflow;
using DaprPlatform.Contracts.Inventory;

namespace DaprPlatform.Workflows.Activities;

/// <summary>Turns the reservation into a sale.</summary>
internal sealed class CommitStock(Stock.StockClient stock) : WorkflowActivity<string, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, string orderId) =>
        (await stock.CommitAsync(new ReservationRequest { OrderId = orderId })).ToStep();
}
