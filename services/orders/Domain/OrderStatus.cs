namespace DaprPlatform.Orders.Domain;

internal enum OrderStatus
{
    Pending,
    Confirmed,
    Processing,
    Shipped,
    Delivered,
    Cancelled,
}

/// <summary>Which status follows which.</summary>
internal static class OrderStatusMachine
{
    public static bool CanMove(OrderStatus from, OrderStatus to) => (from, to) switch
    {
        (OrderStatus.Pending, OrderStatus.Confirmed) => true,
        (OrderStatus.Confirmed, OrderStatus.Processing) => true,
        (OrderStatus.Processing, OrderStatus.Shipped) => true,
        (OrderStatus.Shipped, OrderStatus.Delivered) => true,
        (OrderStatus.Pending or OrderStatus.Confirmed or OrderStatus.Processing, OrderStatus.Cancelled) => true,
        _ => false,
    };

    public static string Text(this OrderStatus status) => status switch
    {
        OrderStatus.Pending => "PENDING",
        OrderStatus.Confirmed => "CONFIRMED",
        OrderStatus.Processing => "PROCESSING",
        OrderStatus.Shipped => "SHIPPED",
        OrderStatus.Delivered => "DELIVERED",
        _ => "CANCELLED",
    };

    public static bool TryParse(string text, out OrderStatus status)
    {
        foreach (var candidate in Enum.GetValues<OrderStatus>())
            if (candidate.Text() == text)
            {
                status = candidate;
                return true;
            }
        status = default;
        return false;
    }
}
