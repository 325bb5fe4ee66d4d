using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Common;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Workflows;
using Grpc.Core;

namespace DaprPlatform.Orders.Api;

/// <summary>Tells the payments service what is to be charged. Asked for, so that no event holds a customer's token.</summary>
internal sealed class SettlementRpc(IOrderLedger ledger) : Settlement.SettlementBase
{
    public override async Task<ChargeDue> GetCharge(GetChargeRequest request, ServerCallContext context)
    {
        if (!OrderId.TryParse(request.OrderId, out var order))
            throw Refusals.Validation("orderId", "must be an order id");
        if (await ledger.FindStateAsync(order, context.CancellationToken) is not { Pending: true, CancelRequested: false })
            return new ChargeDue();
        var facts = await ledger.GetFactsAsync(order, context.CancellationToken);
        return new ChargeDue
        {
            Due = true,
            UserId = facts.User.ToString(),
            Amount = new MoneyValue { Minor = facts.Total.Minor, Currency = facts.Total.Currency },
            Method = facts.PaymentMethod,
            Token = facts.PaymentToken,
        };
    }
}
