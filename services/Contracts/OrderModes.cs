namespace DaprPlatform.Contracts;

/// <summary>Who drives an order from accepted to decided. Events carry it, so that a consumer leaves orders of the other mode alone.</summary>
public static class OrderModes
{
    /// <summary>The workflow drives the order; its events are facts, and start nothing.</summary>
    public const string Orchestrated = "orchestrated";

    /// <summary>Each service reacts to the event of the one before: order_created, stock_reserved, payment_processed.</summary>
    public const string Choreographed = "choreographed";

    public static bool IsKnown(string mode) => mode is Orchestrated or Choreographed;
}
