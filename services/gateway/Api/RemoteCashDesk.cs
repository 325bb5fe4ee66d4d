using DaprPlatform.Contracts.Common;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Problems;

namespace DaprPlatform.Gateway.Api;

internal sealed class RemoteCashDesk(Payments.PaymentsClient payments) : ICashDesk, ICardVault
{
    public Task<CardToken> CreateTokenAsync(CreateTokenRequest request, CancellationToken cancellationToken) =>
        payments.CreateTokenAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Payment> GetPaymentAsync(GetPaymentRequest request, CancellationToken cancellationToken) =>
        payments.GetPaymentAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<ListPaymentsResponse> ListPaymentsAsync(ListPaymentsRequest request, CancellationToken cancellationToken) =>
        payments.ListPaymentsAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<RefundResponse> RefundAsync(RefundRequest request, CancellationToken cancellationToken) =>
        payments.RefundAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<ListMethodsResponse> ListMethodsAsync(ListMethodsRequest request, CancellationToken cancellationToken) =>
        payments.ListMethodsAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<ListTestCardsResponse> ListTestCardsAsync(ListTestCardsRequest request, CancellationToken cancellationToken) =>
        payments.ListTestCardsAsync(request, cancellationToken: cancellationToken).ResponseAsync;
}

/// <summary>Pays an order with the amount that the orders service has for it; the client names none.</summary>
internal sealed class RemoteOrderPayments(Payments.PaymentsClient payments, Orders.OrdersClient orders) : IOrderPayments
{
    public async Task<PayResponse> PayAsync(PayRequest request, CancellationToken cancellationToken)
    {
        // Somebody else's order is not found here.
        var order = await orders.GetOrderAsync(new GetOrderRequest { OrderId = request.OrderId }, cancellationToken: cancellationToken);
        if (order.Status == "CANCELLED")
            throw Refusals.Conflict("order-not-payable", "The order is cancelled.");
        request.Amount = new MoneyValue { Minor = order.TotalMinor, Currency = order.Currency };
        return await payments.PayAsync(request, cancellationToken: cancellationToken);
    }
}
