using Dapr.Workflow;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Inventory;
using Grpc.Core;

namespace DaprPlatform.Workflows.Activities;

/// <summary>Sets the order's stock aside, all lines or none.</summary>
internal sealed class ReserveStock(IOrderLedger ledger, Stock.StockClient stock) : WorkflowActivity<ReserveInput, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, ReserveInput input)
    {
        var facts = await ledger.GetFactsAsync(OrderIds.Parse(input.OrderId), CancellationToken.None);
        var request = new ReserveRequest { OrderId = input.OrderId, Hold = input.Hold };
        request.Lines.AddRange(facts.Lines.Select(l => new StockLine { Sku = l.Sku, Quantity = l.Quantity }));
        try
        {
            return (await stock.ReserveAsync(request)).ToStep();
        }
        catch (RpcException e) when (e.IsRefusal())
        {
            return new StepResult(CancelReasons.InvalidOrder, e.Status.Detail);
        }
    }
}
