using System.Text.Json.Serialization;

namespace DaprPlatform.Contracts.Events;

/// <summary>What happened to the stock of an order, other than being reserved.</summary>
/// <param name="Kind">One of <see cref="ReservationFailed"/>, <see cref="Released"/>, <see cref="Committed"/>, <see cref="Restocked"/>, <see cref="Expired"/>.</param>
/// <param name="Reason">For a failed reservation: <c>OUT_OF_STOCK</c> or <c>UNKNOWN_PRODUCT</c>.</param>
/// <param name="Mode">Of <see cref="OrderModes"/>, for a failed reservation: choreographed asks for the order's cancellation.</param>
public sealed record StockEvent(string Kind, string OrderId, IReadOnlyList<StockLineData> Items, string? Reason, DateTimeOffset OccurredAt, string Mode = OrderModes.Orchestrated)
    : IIntegrationEvent
{
    public const string ReservationFailed = "stock_reservation_failed";
    public const string Released = "stock_released";
    public const string Committed = "stock_committed";
    public const string Restocked = "stock_restocked";
    public const string Expired = "stock_reservation_expired";

    public static string Topic => "stock_events";

    [JsonIgnore]
    public string CloudEventType => "inventory.v1." + Kind;

    [JsonIgnore]
    public string PartitionKey => OrderId;
}
