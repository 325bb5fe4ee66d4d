using System.Text.Json.Serialization;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Orders.Domain;
using DaprPlatform.ServiceDefaults.Events;

namespace DaprPlatform.Orders.History;

/// <summary>
/// What is known of an order, from one event or from many. Facts of one order can be put together in any order and any number of times with the same result:
/// a status is entered once, and what went back only grows.
/// </summary>
internal sealed record OrderSummary
{
    [JsonPropertyName("order_id")]
    public required Guid OrderId { get; init; }

    [JsonPropertyName("user_id")]
    public required Guid UserId { get; init; }

    /// <summary>Null: not told yet.</summary>
    [JsonPropertyName("number")]
    public long? Number { get; init; }

    [JsonPropertyName("currency")]
    public required string Currency { get; init; }

    /// <inheritdoc cref="Number"/>
    [JsonPropertyName("total_minor")]
    public long? TotalMinor { get; init; }

    /// <inheritdoc cref="Number"/>
    [JsonPropertyName("pieces")]
    public int? Pieces { get; init; }

    [JsonPropertyName("refunded_minor")]
    public long RefundedMinor { get; init; }

    [JsonPropertyName("created_at")]
    public DateTimeOffset? CreatedAt { get; init; }

    [JsonPropertyName("timeline")]
    public IReadOnlyDictionary<string, StatusFact> Timeline { get; init; } = new Dictionary<string, StatusFact>();

    public static OrderSummary From(OrderCreated created) => new()
    {
        OrderId = Order(created.OrderId),
        UserId = User(created.UserId),
        Number = created.Number > 0 ? created.Number : null,
        Currency = created.Currency,
        TotalMinor = created.TotalAmount,
        Pieces = created.Items.Sum(i => i.Quantity),
        CreatedAt = Stored(created.OccurredAt),
        Timeline = Entered(OrderStatus.Pending.Text(), created.OccurredAt, null),
    };

    public static OrderSummary From(OrderStatusChanged changed) => new()
    {
        OrderId = Order(changed.OrderId),
        UserId = User(changed.UserId),
        Number = changed.Number,
        Currency = changed.Currency,
        TotalMinor = changed.TotalAmount,
        Timeline = OrderStatusMachine.TryParse(changed.Status, out _)
            ? Entered(changed.Status, changed.OccurredAt, changed.Reason)
            : throw new MalformedEventException($"'{changed.Status}' is not a status of orders."),
    };

    public static OrderSummary From(PaymentRefunded refunded) => new()
    {
        OrderId = Order(refunded.OrderId),
        UserId = User(refunded.UserId),
        Currency = refunded.Currency,
        RefundedMinor = refunded.RefundedTotal,
    };

    /// <summary>Lines and history must be loaded.</summary>
    public static OrderSummary From(Order order) => new()
    {
        OrderId = order.Id,
        UserId = order.UserId,
        Number = order.Number,
        Currency = order.Currency,
        TotalMinor = order.TotalMinor,
        Pieces = order.Lines.Sum(l => l.Quantity),
        RefundedMinor = order.RefundedMinor,
        CreatedAt = Stored(order.CreatedAt),
        Timeline = order.History.ToDictionary(h => h.Status.Text(), h => new StatusFact(Stored(h.At), h.Reason.Length == 0 ? null : h.Reason), StringComparer.Ordinal),
    };

    /// <summary>Both are of one order.</summary>
    public OrderSummary And(OrderSummary other) => this with
    {
        Number = Number ?? other.Number,
        TotalMinor = TotalMinor ?? other.TotalMinor,
        Pieces = Pieces ?? other.Pieces,
        RefundedMinor = Math.Max(RefundedMinor, other.RefundedMinor),
        CreatedAt = CreatedAt ?? other.CreatedAt,
        Timeline = Timeline.Concat(other.Timeline.Where(o => !Timeline.ContainsKey(o.Key))).ToDictionary(StringComparer.Ordinal),
    };

    private static Dictionary<string, StatusFact> Entered(string status, DateTimeOffset at, string? reason) =>
        new(StringComparer.Ordinal) { [status] = new StatusFact(Stored(at), string.IsNullOrEmpty(reason) ? null : reason) };

    // As the database keeps it: an event's time is finer.
    private static DateTimeOffset Stored(DateTimeOffset at) => at.ToUniversalTime().AddTicks(-(at.UtcTicks % TimeSpan.TicksPerMicrosecond));

    private static Guid Order(string text) => Contracts.OrderId.TryParse(text, out var id) ? id.Value : throw new MalformedEventException($"'{text}' is not an order id.");

    private static Guid User(string text) => Contracts.UserId.TryParse(text, out var id) ? id.Value : throw new MalformedEventException($"'{text}' is not a user id.");
}

/// <param name="Reason">Null: none.</param>
internal sealed record StatusFact([property: JsonPropertyName("at")] DateTimeOffset At, [property: JsonPropertyName("reason")] string? Reason);
