using Dapr.Workflow;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Common;
using DaprPlatform.Contracts.Payments;
using Grpc.Core;
using Outcome = DaprPlatform.Contracts.Payments.AuthorizeResult.Types.Outcome;

namespace DaprPlatform.Workflows.Activities;

/// <summary>Captures the order's total. A declined card is a result.</summary>
internal sealed class AuthorizePayment(IOrderLedger ledger, Charges.ChargesClient charges) : WorkflowActivity<string, StepResult>
{
    public override async Task<StepResult> RunAsync(WorkflowActivityContext context, string orderId)
    {
        var facts = await ledger.GetFactsAsync(OrderIds.Parse(orderId), CancellationToken.None);
        var request = new AuthorizeRequest
        {
            OrderId = orderId,
            UserId = facts.User.ToString(),
            Amount = new MoneyValue { Minor = facts.Total.Minor, Currency = facts.Total.Currency },
            Method = facts.PaymentMethod,
            Token = facts.PaymentToken,
        };
        try
        {
            var result = await charges.AuthorizeAsync(request);
            return result.Outcome switch
            {
                Outcome.Captured => new StepResult(Detail: result.PaymentId),
                Outcome.Declined or Outcome.Voided => new StepResult(CancelReasons.PaymentDeclined, result.FailureReason),
                _ => throw new InvalidOperationException($"Unknown outcome {result.Outcome}."),
            };
        }
        catch (RpcException e) when (e.IsRefusal())
        {
            return new StepResult(CancelReasons.PaymentDeclined, e.Status.Detail);
        }
    }
}
