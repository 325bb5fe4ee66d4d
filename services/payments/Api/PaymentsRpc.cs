using DaprPlatform.Contracts.Payments;
using DaprPlatform.Payments.Domain;
using DaprPlatform.ServiceDefaults.Auth;
using Grpc.Core;

namespace DaprPlatform.Payments.Api;

/// <summary>The gRPC face of the user's payments.</summary>
internal sealed class PaymentsRpc(CashDesk desk, IHttpContextAccessor http) : Contracts.Payments.Payments.PaymentsBase
{
    public override Task<CardToken> CreateToken(CreateTokenRequest request, ServerCallContext context) => desk.CreateTokenAsync(request, context.CancellationToken);

    public override Task<PayResponse> Pay(PayRequest request, ServerCallContext context)
    {
        // Whoever names the amount must have it from the orders service.
        Policies.RequireCaller(http.HttpContext!, "gateway");
        return desk.PayAsync(request, context.CancellationToken);
    }

    public override Task<Payment> GetPayment(GetPaymentRequest request, ServerCallContext context) => desk.GetPaymentAsync(request, context.CancellationToken);

    public override Task<ListPaymentsResponse> ListPayments(ListPaymentsRequest request, ServerCallContext context) =>
        desk.ListPaymentsAsync(request, context.CancellationToken);

    public override Task<RefundResponse> Refund(RefundRequest request, ServerCallContext context) => desk.RefundAsync(request, context.CancellationToken);

    public override Task<ListMethodsResponse> ListMethods(ListMethodsRequest request, ServerCallContext context) =>
        desk.ListMethodsAsync(request, context.CancellationToken);

    public override Task<ListTestCardsResponse> ListTestCards(ListTestCardsRequest request, ServerCallContext context) =>
        desk.ListTestCardsAsync(request, context.CancellationToken);
}
