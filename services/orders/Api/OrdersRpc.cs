using DaprPlatform.Contracts.Orders;
using DaprPlatform.RestApi;
using Grpc.Core;

namespace DaprPlatform.Orders.Api;

/// <summary>The gRPC face of the orders.</summary>
internal sealed class OrdersRpc(IOrderBook orders, IOrderHistory history) : Contracts.Orders.Orders.OrdersBase
{
    public override Task<PlaceOrderResponse> PlaceOrder(PlaceOrderRequest request, ServerCallContext context) =>
        orders.PlaceOrderAsync(request, context.CancellationToken);

    public override Task<Order> GetOrder(GetOrderRequest request, ServerCallContext context) => orders.GetOrderAsync(request, context.CancellationToken);

    public override Task<ListOrdersResponse> ListOrders(ListOrdersRequest request, ServerCallContext context) =>
        orders.ListOrdersAsync(request, context.CancellationToken);

    public override Task<Order> CancelOrder(CancelOrderRequest request, ServerCallContext context) => orders.CancelOrderAsync(request, context.CancellationToken);

    public override Task<Order> UpdateStatus(UpdateStatusRequest request, ServerCallContext context) => orders.UpdateStatusAsync(request, context.CancellationToken);

    public override Task<Order> DecideApproval(DecideApprovalRequest request, ServerCallContext context) =>
        orders.DecideApprovalAsync(request, context.CancellationToken);

    public override Task<ListHistoryResponse> ListHistory(ListHistoryRequest request, ServerCallContext context) => history.ListHistoryAsync(request, context.CancellationToken);

    public override Task<GetStatisticsResponse> GetStatistics(GetStatisticsRequest request, ServerCallContext context) =>
        history.GetStatisticsAsync(request, context.CancellationToken);

    public override Task<RebuildState> RebuildHistory(RebuildHistoryRequest request, ServerCallContext context) =>
        history.RebuildHistoryAsync(request, context.CancellationToken);

    public override Task<RebuildState> GetRebuild(GetRebuildRequest request, ServerCallContext context) => history.GetRebuildAsync(request, context.CancellationToken);
}
