using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Inventory;
using Grpc.Core;
using Outcome = DaprPlatform.Contracts.Inventory.ReservationResult.Types.Outcome;

namespace DaprPlatform.Workflows.Activities;

internal static class StockOutcomes
{
    /// <summary>What a stock service's answer means for the order.</summary>
    public static StepResult ToStep(this ReservationResult result) => result.Outcome switch
    {
        Outcome.Done => new StepResult(),
        Outcome.OutOfStock => new StepResult(CancelReasons.OutOfStock),
        Outcome.UnknownProduct => new StepResult(CancelReasons.InvalidOrder),
        // Released behind this workflow's back: there is nothing left to sell.
        Outcome.Closed => new StepResult(CancelReasons.OutOfStock),
        _ => throw new InvalidOperationException($"Unknown outcome {result.Outcome}."),
    };

    /// <summary>The service will say the same however often it is asked.</summary>
    public static bool IsRefusal(this RpcException exception) => exception.StatusCode is StatusCode.InvalidArgument or StatusCode.FailedPrecondition;
}

internal static class OrderIds
{
    public static OrderId Parse(string text) => OrderId.TryParse(text, out var id) ? id : throw new ArgumentException($"'{text}' is not an order id.", nameof(text));
}
