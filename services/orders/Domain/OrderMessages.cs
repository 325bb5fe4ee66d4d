using DaprPlatform.Contracts;
using Google.Protobuf.WellKnownTypes;
using OrderMessage = DaprPlatform.Contracts.Orders.Order;

namespace DaprPlatform.Orders.Domain;

internal static class OrderMessages
{
    public static OrderMessage ToMessage(Order order)
    {
        var message = new OrderMessage
        {
            Id = new OrderId(order.Id).ToString(),
            Number = order.Number,
            UserId = new UserId(order.UserId).ToString(),
            Status = order.Status.Text(),
            Currency = order.Currency,
            TotalMinor = order.TotalMinor,
            ShippingAddress = order.ShippingAddress,
            PaymentMethod = order.PaymentMethod,
            PaymentId = order.PaymentId is { } payment ? new PaymentId(payment).ToString() : "",
            RefundedMinor = order.RefundedMinor,
            Reason = order.Reason,
            CreatedAt = Timestamp.FromDateTimeOffset(order.CreatedAt),
            UpdatedAt = Timestamp.FromDateTimeOffset(order.UpdatedAt),
        };
        foreach (var line in order.Lines.OrderBy(l => l.Position))
            message.Lines.Add(new Contracts.Orders.OrderLine { ProductId = line.Sku, Name = line.Name, Quantity = line.Quantity, UnitPriceMinor = line.UnitPriceMinor });
        foreach (var entry in order.History.OrderBy(h => h.Position))
            message.History.Add(new Contracts.Orders.StatusChange { Status = entry.Status.Text(), Reason = entry.Reason, At = Timestamp.FromDateTimeOffset(entry.At) });
        return message;
    }
}
