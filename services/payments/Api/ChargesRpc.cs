using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Payments.Domain;
using DaprPlatform.ServiceDefaults.Problems;
using Grpc.Core;

namespace DaprPlatform.Payments.Api;

/// <summary>The payment steps of an order's workflow.</summary>
internal sealed class ChargesRpc(Cashier cashier) : Charges.ChargesBase
{
    public override Task<AuthorizeResult> Authorize(AuthorizeRequest request, ServerCallContext context)
    {
        new Validator()
            .Require(OrderId.TryParse(request.OrderId, out var order), "orderId", "must be an order id")
            .Require(UserId.TryParse(request.UserId, out var user), "userId", "must be a user id")
            .Require(request.Amount is { Minor: > 0 } && Money.IsCurrency(request.Amount.Currency), "amount", "must be above 0")
            .Require(PaymentMethods.IsKnown(request.Method), "method", "is not a payment method")
            .ThrowIfInvalid();
        return cashier.AuthorizeAsync(
            order, user, new Money(request.Amount.Minor, request.Amount.Currency), request.Method, request.Token, context.CancellationToken);
    }

    public override async Task<VoidResult> Void(VoidRequest request, ServerCallContext context)
    {
        if (!OrderId.TryParse(request.OrderId, out var order))
            throw Refusals.Validation("orderId", "must be an order id");
        var reason = request.Reason.Length <= 200 ? request.Reason : request.Reason[..200];
        return new VoidResult { RefundedMinor = await cashier.VoidAsync(order, reason, context.CancellationToken) };
    }
}
