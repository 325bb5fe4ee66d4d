using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Inventory.Domain;
using DaprPlatform.Payments.Domain;
using Grpc.Core;

namespace DaprPlatform.Services.Tests.Fixtures;

/// <summary>The stock service without a network: the domain of the fixture, in a scope for each call.</summary>
internal sealed class LocalStock(InventoryFixture inventory) : Stock.StockClient
{
    public override AsyncUnaryCall<ReservationResult> ReserveAsync(ReserveRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default) =>
        Call((keeper, order) => keeper.ReserveAsync(order, [.. request.Lines], request.Hold, cancellationToken), request.OrderId);

    public override AsyncUnaryCall<ReservationResult> HoldAsync(ReservationRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default) =>
        Call((keeper, order) => keeper.HoldAsync(order, cancellationToken), request.OrderId);

    public override AsyncUnaryCall<ReservationResult> CommitAsync(ReservationRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default) =>
        Call((keeper, order) => keeper.CommitAsync(order, cancellationToken), request.OrderId);

    public override AsyncUnaryCall<ReservationResult> ReleaseAsync(ReservationRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default) =>
        Call((keeper, order) => keeper.ReleaseAsync(order, cancellationToken), request.OrderId);

    public override AsyncUnaryCall<ReservationResult> RestockAsync(ReservationRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default) =>
        Call((keeper, order) => keeper.RestockAsync(order, cancellationToken), request.OrderId);

    private AsyncUnaryCall<ReservationResult> Call(Func<StockKeeper, OrderId, Task<ReservationResult>> call, string order) =>
        LocalCall.Of(inventory.AsAsync<StockKeeper, ReservationResult>(keeper => call(keeper, LocalCall.Parse(order))));
}

/// <summary>The payment steps without a network.</summary>
internal sealed class LocalCharges(PaymentsFixture payments) : Charges.ChargesClient
{
    public override AsyncUnaryCall<AuthorizeResult> AuthorizeAsync(AuthorizeRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default)
    {
        Assert(UserId.TryParse(request.UserId, out var user));
        return LocalCall.Of(payments.AsAsync<Cashier, AuthorizeResult>(cashier => cashier.AuthorizeAsync(
            LocalCall.Parse(request.OrderId), user, new Money(request.Amount.Minor, request.Amount.Currency), request.Method, request.Token, cancellationToken)));
    }

    public override AsyncUnaryCall<VoidResult> VoidAsync(VoidRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default) =>
        LocalCall.Of(payments.AsAsync<Cashier, VoidResult>(async cashier =>
            new VoidResult { RefundedMinor = await cashier.VoidAsync(LocalCall.Parse(request.OrderId), request.Reason, cancellationToken) }));

    private static void Assert(bool holds) => Xunit.Assert.True(holds);
}

internal static class LocalCall
{
    public static AsyncUnaryCall<T> Of<T>(Task<T> answer) =>
        new(answer, Task.FromResult(new Metadata()), static () => Status.DefaultSuccess, static () => [], static () => { });

    public static OrderId Parse(string text) => OrderId.TryParse(text, out var id) ? id : throw new ArgumentException(text);
}
