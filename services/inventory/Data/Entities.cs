namespace DaprPlatform.Inventory.Data;

internal sealed class CategoryRow
{
    public required string Id { get; init; }

    public required string Name { get; set; }

    public bool Active { get; set; } = true;
}

/// <summary>Available + reserved + sold changes only by import: that sum is what ever came in.</summary>
internal sealed class ProductRow
{
    public required string Sku { get; init; }

    public required string Name { get; set; }

    public string Description { get; set; } = "";

    public required string CategoryId { get; set; }

    /// <summary>Minor units of <see cref="Currency"/>.</summary>
    public required long PriceMinor { get; set; }

    public required string Currency { get; set; }

    public long Available { get; set; }

    public long Reserved { get; set; }

    public long Sold { get; set; }

    public required DateTimeOffset UpdatedAt { get; set; }

    /// <summary>xmin: changes with every write of the row.</summary>
    public uint Version { get; init; }
}

/// <summary>The stock of one order. The row is also the memory that makes each step idempotent.</summary>
internal sealed class Reservation
{
    public required Guid OrderId { get; init; }

    public required ReservationState State { get; set; }

    /// <summary>Only while <see cref="ReservationState.Reserved"/>.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }

    /// <summary>Of a refusal: the SKUs that stood in the way.</summary>
    public string[] RefusedSkus { get; init; } = [];

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; set; }

    public List<ReservationLine> Lines { get; init; } = [];
}

internal sealed class ReservationLine
{
    public Guid OrderId { get; init; }

    public required string Sku { get; init; }

    public required int Quantity { get; init; }
}

internal enum ReservationState
{
    /// <summary>Stock is set aside until the reservation expires.</summary>
    Reserved,

    /// <summary>Set aside until a workflow commits or releases it.</summary>
    Held,

    Committed,
    Released,
    Restocked,
    Expired,
    OutOfStock,
    UnknownProduct,
}
