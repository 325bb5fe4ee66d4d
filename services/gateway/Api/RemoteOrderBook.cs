using DaprPlatform.Contracts.Orders;
using DaprPlatform.RestApi;

namespace DaprPlatform.Gateway.Api;

internal sealed class RemoteOrderBook(Orders.OrdersClient orders, TimeProvider time) : IOrderBook
{
    public Task<PlaceOrderResponse> PlaceOrderAsync(PlaceOrderRequest request, CancellationToken cancellationToken) =>
        orders.PlaceOrderAsync(request, deadline: DeadlineAfter(request.WaitSeconds), cancellationToken: cancellationToken).ResponseAsync;

    public Task<Order> GetOrderAsync(GetOrderRequest request, CancellationToken cancellationToken) =>
        orders.GetOrderAsync(request, deadline: DeadlineAfter(request.WaitSeconds), cancellationToken: cancellationToken).ResponseAsync;

    public Task<ListOrdersResponse> ListOrdersAsync(ListOrdersRequest request, CancellationToken cancellationToken) =>
        orders.ListOrdersAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Order> CancelOrderAsync(CancelOrderRequest request, CancellationToken cancellationToken) =>
        orders.CancelOrderAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Order> UpdateStatusAsync(UpdateStatusRequest request, CancellationToken cancellationToken) =>
        orders.UpdateStatusAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Order> DecideApprovalAsync(DecideApprovalRequest request, CancellationToken cancellationToken) =>
        orders.DecideApprovalAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    private DateTime DeadlineAfter(int waitSeconds) => time.GetUtcNow().UtcDateTime + TimeSpan.FromSeconds(10 + waitSeconds);
}
