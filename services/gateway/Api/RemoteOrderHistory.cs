using DaprPlatform.Contracts.Orders;
using DaprPlatform.RestApi;

namespace DaprPlatform.Gateway.Api;

internal sealed class RemoteOrderHistory(Orders.OrdersClient orders) : IOrderHistory
{
    public Task<ListHistoryResponse> ListHistoryAsync(ListHistoryRequest request, CancellationToken cancellationToken) =>
        orders.ListHistoryAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<GetStatisticsResponse> GetStatisticsAsync(GetStatisticsRequest request, CancellationToken cancellationToken) =>
        orders.GetStatisticsAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<RebuildState> RebuildHistoryAsync(RebuildHistoryRequest request, CancellationToken cancellationToken) =>
        orders.RebuildHistoryAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<RebuildState> GetRebuildAsync(GetRebuildRequest request, CancellationToken cancellationToken) =>
        orders.GetRebuildAsync(request, cancellationToken: cancellationToken).ResponseAsync;
}
