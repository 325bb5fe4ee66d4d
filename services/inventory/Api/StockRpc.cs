using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Inventory.Domain;
using DaprPlatform.ServiceDefaults.Problems;
using Grpc.Core;

namespace DaprPlatform.Inventory.Api;

/// <summary>The steps of an order's stock, for the orders service.</summary>
internal sealed class StockRpc(StockKeeper stock) : Stock.StockBase
{
    public override Task<ReservationResult> Reserve(ReserveRequest request, ServerCallContext context) =>
        stock.ReserveAsync(Id(request.OrderId), request.Lines, request.Hold, context.CancellationToken);

    public override Task<ReservationResult> Hold(ReservationRequest request, ServerCallContext context) =>
        stock.HoldAsync(Id(request.OrderId), context.CancellationToken);

    public override Task<ReservationResult> Commit(ReservationRequest request, ServerCallContext context) =>
        stock.CommitAsync(Id(request.OrderId), context.CancellationToken);

    public override Task<ReservationResult> Release(ReservationRequest request, ServerCallContext context) =>
        stock.ReleaseAsync(Id(request.OrderId), context.CancellationToken);

    public override Task<ReservationResult> Restock(ReservationRequest request, ServerCallContext context) =>
        stock.RestockAsync(Id(request.OrderId), context.CancellationToken);

    private static OrderId Id(string text) => OrderId.TryParse(text, out var id) ? id : throw Refusals.Validation("orderId", "must be an order id");
}
