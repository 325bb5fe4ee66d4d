using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Inventory.Data;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Outcome = DaprPlatform.Contracts.Inventory.ReservationResult.Types.Outcome;

namespace DaprPlatform.Inventory.Domain;

/// <summary>
/// Moves stock between available, reserved and sold. Every step is one transaction with its event and is decided by the order's reservation row, so that
/// repeating a step changes nothing and a step that comes too late (behind a release) is refused. Rows of products are always locked in order of SKU.
/// </summary>
internal sealed class StockKeeper(InventoryDb db, StockOptions options, ReservationExpiry expiry, StockMetrics metrics, OutboxSignal outbox, TimeProvider time)
{
    /// <summary>All lines or none. Without <paramref name="hold"/> the reservation expires after the configured time.</summary>
    /// <param name="order">Whose lines they are.</param>
    /// <param name="lines">Each SKU once.</param>
    /// <param name="hold">It does not expire.</param>
    /// <param name="mode">Of <see cref="OrderModes"/>; its events carry it.</param>
    /// <param name="cancellationToken">Ends the try.</param>
    public async Task<ReservationResult> ReserveAsync(
        OrderId order, IReadOnlyList<StockLine> lines, bool hold, CancellationToken cancellationToken, string mode = OrderModes.Orchestrated)
    {
        Validate(lines);
        var skus = lines.Select(l => l.Sku).ToArray();
        var quantities = lines.Select(l => l.Quantity).ToArray();
        try
        {
            var result = await ReserveAtOnceAsync(order, skus, quantities, hold, mode, cancellationToken)
                ?? await TryReserveAsync(order, skus, quantities, hold, mode, cancellationToken)
                ?? await RefuseAsync(order, skus, quantities, mode, cancellationToken);
            metrics.Operation("reserve", result.Outcome.ToString());
            return result;
        }
        catch (Exception e) when (Faults.IsUniqueViolation(e, "pk_reservations"))
        {
            // Another attempt for this order, or its release, was here before: its outcome stands.
            db.ChangeTracker.Clear();
            return await StoredOutcomeAsync(order, cancellationToken);
        }
    }

    /// <summary>Makes a reservation last until it is committed or released. One that has expired is taken again if the stock is still there.</summary>
    public async Task<ReservationResult> HoldAsync(OrderId order, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var reservation = await LockAsync(order, cancellationToken);
        var result = reservation switch
        {
            null => Closed(),
            { State: ReservationState.Reserved } => await MoveAsync(reservation, ReservationState.Held, static _ => Task.CompletedTask),
            { State: ReservationState.Held or ReservationState.Committed } => Done(null),
            { State: ReservationState.Expired } => await TakeAgainAsync(reservation, ReservationState.Held, cancellationToken),
            _ => Closed(),
        };
        return await FinishAsync(transaction, "hold", result, cancellationToken);
    }

    /// <summary>Reserved becomes sold.</summary>
    public async Task<ReservationResult> CommitAsync(OrderId order, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (await db.CommitAsync(order.Value, now, OutboxModel.MessageOf(new StockEvent(StockEvent.Committed, order.ToString(), [], null, now), now), cancellationToken))
        {
            outbox.Set();
            metrics.Operation("commit", nameof(Outcome.Done));
            return Done(null);
        }
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var reservation = await LockAsync(order, cancellationToken);
        var result = reservation switch
        {
            null => Closed(),
            { State: ReservationState.Reserved or ReservationState.Held } => await MoveAsync(
                reservation, ReservationState.Committed, lines => MoveStockAsync(lines, available: 0, reserved: -1, sold: +1, cancellationToken)),
            { State: ReservationState.Committed } => Done(null),
            { State: ReservationState.Expired } => await TakeAgainAsync(reservation, ReservationState.Committed, cancellationToken),
            _ => Closed(),
        };
        return await FinishAsync(transaction, "commit", result, cancellationToken);
    }

    /// <summary>Ends a reservation that is not committed. Without a reservation it is remembered, so that one that comes late is refused.</summary>
    public Task<ReservationResult> ReleaseAsync(OrderId order, CancellationToken cancellationToken) =>
        CloseAsync(order, "release", committedToo: false, cancellationToken);

    /// <summary>Ends a reservation however far it got: sold stock becomes available again.</summary>
    public Task<ReservationResult> RestockAsync(OrderId order, CancellationToken cancellationToken) =>
        CloseAsync(order, "restock", committedToo: true, cancellationToken);

    /// <summary>Expires one reservation that is due. False when none is.</summary>
    public async Task<bool> ExpireOneAsync(CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var now = time.GetUtcNow();
        // A row locked by somebody is being held, committed or released right now.
        var reservation = await db.Reservations
            .FromSql($"SELECT * FROM reservations WHERE state = 'Reserved' AND expires_at <= {now} ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED")
            .SingleOrDefaultAsync(cancellationToken);
        if (reservation is null)
            return false;
        await LoadLinesAsync(reservation, cancellationToken);
        await MoveAsync(reservation, ReservationState.Expired, lines => MoveStockAsync(lines, available: +1, reserved: -1, sold: 0, cancellationToken));
        await FinishAsync(transaction, "expire", Done(null), cancellationToken);
        metrics.Expired();
        return true;
    }

    /// <summary>The usual case by one statement; null when it is none.</summary>
    private async Task<ReservationResult?> ReserveAtOnceAsync(
        OrderId order, string[] skus, int[] quantities, bool hold, string mode, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var reservation = NewReservation(order, skus, quantities, hold, now);
        var reserved = OutboxModel.MessageOf(new StockReserved(order.ToString(), Items(reservation.Lines), reservation.ExpiresAt, now, mode), now);
        if (!await db.ReserveAsync(reservation, skus, quantities, options.LowStockThreshold, reserved, cancellationToken))
            return null;
        outbox.Set();
        if (reservation.ExpiresAt is { } at)
            await expiry.ScheduleAsync(order, at, cancellationToken);
        return Done(reservation.ExpiresAt);
    }

    private async Task<ReservationResult?> TryReserveAsync(
        OrderId order, string[] skus, int[] quantities, bool hold, string mode, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var taken = await TakeStockAsync(skus, quantities, sold: false, cancellationToken);
        if (taken.Count != skus.Length)
            return null;
        var now = time.GetUtcNow();
        var reservation = NewReservation(order, skus, quantities, hold, now);
        db.Reservations.Add(reservation);
        db.Publish(new StockReserved(order.ToString(), Items(reservation.Lines), reservation.ExpiresAt, now, mode), now);
        PublishLow(taken, now);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        if (reservation.ExpiresAt is { } at)
            await expiry.ScheduleAsync(order, at, cancellationToken);
        return Done(reservation.ExpiresAt);
    }

    /// <summary>Writes the refusal down, so that the repeated step is refused too, whatever the stock is by then.</summary>
    private async Task<ReservationResult> RefuseAsync(OrderId order, string[] skus, int[] quantities, string mode, CancellationToken cancellationToken)
    {
        var known = await db.Products.AsNoTracking().Where(p => skus.Contains(p.Sku)).Select(p => new { p.Sku, p.Available })
            .ToDictionaryAsync(p => p.Sku, p => p.Available, StringComparer.Ordinal, cancellationToken);
        var unknown = skus.Where(s => !known.ContainsKey(s)).ToArray();
        var missing = unknown.Length > 0 ? unknown : [.. skus.Where((s, i) => known[s] < quantities[i])];
        var state = unknown.Length > 0 ? ReservationState.UnknownProduct : ReservationState.OutOfStock;
        var now = time.GetUtcNow();
        db.Reservations.Add(new Reservation { OrderId = order.Value, State = state, RefusedSkus = missing, CreatedAt = now, UpdatedAt = now });
        var reason = state == ReservationState.UnknownProduct ? "UNKNOWN_PRODUCT" : CancelReasons.OutOfStock;
        var items = skus.Zip(quantities, (sku, quantity) => new StockLineData(sku, quantity)).ToArray();
        db.Publish(new StockEvent(StockEvent.ReservationFailed, order.ToString(), items, reason, now, mode), now);
        await db.SaveChangesAsync(cancellationToken);
        return Refused(state, missing);
    }

    private async Task<ReservationResult> StoredOutcomeAsync(OrderId order, CancellationToken cancellationToken)
    {
        var stored = await db.Reservations.AsNoTracking().SingleAsync(r => r.OrderId == order.Value, cancellationToken);
        return stored.State switch
        {
            ReservationState.Reserved or ReservationState.Held or ReservationState.Committed => Done(stored.ExpiresAt),
            ReservationState.OutOfStock or ReservationState.UnknownProduct => Refused(stored.State, stored.RefusedSkus),
            _ => Closed(),
        };
    }

    private async Task<ReservationResult> CloseAsync(OrderId order, string step, bool committedToo, CancellationToken cancellationToken)
    {
        try
        {
            return await TryCloseAsync(order, step, committedToo, cancellationToken);
        }
        catch (DbUpdateException e) when (Faults.IsUniqueViolation(e, "pk_reservations"))
        {
            // The reservation, or another release, was written between the look and the save. Rows are never deleted: now it is found.
            db.ChangeTracker.Clear();
            return await TryCloseAsync(order, step, committedToo, cancellationToken);
        }
    }

    private async Task<ReservationResult> TryCloseAsync(OrderId order, string step, bool committedToo, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var reservation = await LockAsync(order, cancellationToken);
        if (reservation is null)
        {
            var now = time.GetUtcNow();
            db.Reservations.Add(new Reservation { OrderId = order.Value, State = ReservationState.Released, CreatedAt = now, UpdatedAt = now });
            return await FinishAsync(transaction, step, Done(null), cancellationToken);
        }
        var result = reservation.State switch
        {
            ReservationState.Reserved or ReservationState.Held => await MoveAsync(
                reservation, ReservationState.Released, lines => MoveStockAsync(lines, available: +1, reserved: -1, sold: 0, cancellationToken)),
            ReservationState.Committed when committedToo => await MoveAsync(
                reservation, ReservationState.Restocked, lines => MoveStockAsync(lines, available: +1, reserved: 0, sold: -1, cancellationToken)),
            ReservationState.Committed => Closed(),
            // A late commit must not take the stock again.
            ReservationState.Expired => await MoveAsync(reservation, ReservationState.Released, static _ => Task.CompletedTask),
            _ => Done(null),
        };
        return await FinishAsync(transaction, step, result, cancellationToken);
    }

    private async Task<ReservationResult> TakeAgainAsync(Reservation reservation, ReservationState next, CancellationToken cancellationToken)
    {
        var skus = reservation.Lines.Select(l => l.Sku).ToArray();
        var quantities = reservation.Lines.Select(l => l.Quantity).ToArray();
        await db.Database.CurrentTransaction!.CreateSavepointAsync("take", cancellationToken);
        var taken = await TakeStockAsync(skus, quantities, sold: next == ReservationState.Committed, cancellationToken);
        if (taken.Count == skus.Length)
        {
            PublishLow(taken, time.GetUtcNow());
            return await MoveAsync(reservation, next, static _ => Task.CompletedTask);
        }
        await db.Database.CurrentTransaction!.RollbackToSavepointAsync("take", cancellationToken);
        return Refused(ReservationState.OutOfStock, skus);
    }

    private void PublishLow(List<TakenStock> taken, DateTimeOffset now)
    {
        foreach (var product in taken)
            if (product.Available <= options.LowStockThreshold && product.Available + product.Quantity > options.LowStockThreshold)
                db.Publish(new StockLow(product.Sku, product.Available, options.LowStockThreshold, now), now);
    }

    /// <summary>The lines that could be taken; the transaction is of no use unless it is all of them.</summary>
    private Task<List<TakenStock>> TakeStockAsync(string[] skus, int[] quantities, bool sold, CancellationToken cancellationToken)
    {
        var (reserve, sell) = sold ? (0, 1) : (1, 0);
        return db.Database.SqlQuery<TakenStock>(
            $"""
             WITH line AS (SELECT * FROM unnest({skus}, {quantities}) AS l(sku, quantity)),
                  locked AS (SELECT p.sku, line.quantity FROM products p JOIN line ON p.sku = line.sku WHERE p.available >= line.quantity ORDER BY p.sku FOR UPDATE OF p)
             UPDATE products p
                SET available = p.available - locked.quantity, reserved = p.reserved + {reserve} * locked.quantity,
                    sold = p.sold + {sell} * locked.quantity, updated_at = {time.GetUtcNow()}
               FROM locked WHERE p.sku = locked.sku AND p.available >= locked.quantity
             RETURNING p.sku AS "Sku", p.available AS "Available", locked.quantity AS "Quantity"
             """).ToListAsync(cancellationToken);
    }

    private async Task MoveStockAsync(IReadOnlyList<ReservationLine> lines, int available, int reserved, int sold, CancellationToken cancellationToken)
    {
        var skus = lines.Select(l => l.Sku).ToArray();
        var quantities = lines.Select(l => l.Quantity).ToArray();
        var moved = await db.Database.ExecuteSqlAsync(
            $"""
             WITH line AS (SELECT * FROM unnest({skus}, {quantities}) AS l(sku, quantity)),
                  locked AS (SELECT p.sku, line.quantity FROM products p JOIN line ON p.sku = line.sku ORDER BY p.sku FOR UPDATE OF p)
             UPDATE products p
                SET available = p.available + {available} * locked.quantity, reserved = p.reserved + {reserved} * locked.quantity,
                    sold = p.sold + {sold} * locked.quantity, updated_at = {time.GetUtcNow()}
               FROM locked WHERE p.sku = locked.sku
             """,
            cancellationToken);
        if (moved != lines.Count)
            throw new InvalidOperationException($"{lines.Count} products were reserved and {moved} are there.");
    }

    private Task<Reservation?> LockAsync(OrderId order, CancellationToken cancellationToken) =>
        db.Reservations.FromSql($"SELECT * FROM reservations WHERE order_id = {order.Value} FOR UPDATE")
            .Include(r => r.Lines.OrderBy(l => l.Sku)).AsSingleQuery().SingleOrDefaultAsync(cancellationToken);

    // Loading them tracked fills the reservation's own list.
    private Task LoadLinesAsync(Reservation reservation, CancellationToken cancellationToken) =>
        db.ReservationLines.Where(l => l.OrderId == reservation.OrderId).OrderBy(l => l.Sku).LoadAsync(cancellationToken);

    private async Task<ReservationResult> MoveAsync(Reservation reservation, ReservationState next, Func<IReadOnlyList<ReservationLine>, Task> moveStock)
    {
        var previous = reservation.State;
        await moveStock(reservation.Lines);
        reservation.State = next;
        reservation.ExpiresAt = null;
        reservation.UpdatedAt = time.GetUtcNow();
        var kind = (previous, next) switch
        {
            (_, ReservationState.Committed) => StockEvent.Committed,
            (ReservationState.Expired, ReservationState.Released) => null,
            (_, ReservationState.Released) => StockEvent.Released,
            (_, ReservationState.Restocked) => StockEvent.Restocked,
            (_, ReservationState.Expired) => StockEvent.Expired,
            _ => null,
        };
        if (kind is not null)
            db.Publish(new StockEvent(kind, new OrderId(reservation.OrderId).ToString(), Items(reservation.Lines), null, reservation.UpdatedAt), reservation.UpdatedAt);
        return Done(null);
    }

    private Reservation NewReservation(OrderId order, string[] skus, int[] quantities, bool hold, DateTimeOffset now) => new()
    {
        OrderId = order.Value,
        State = hold ? ReservationState.Held : ReservationState.Reserved,
        ExpiresAt = hold ? null : now + options.ReservationTtl,
        CreatedAt = now,
        UpdatedAt = now,
        Lines = [.. skus.Zip(quantities, (sku, quantity) => new ReservationLine { Sku = sku, Quantity = quantity })],
    };

    private async Task<ReservationResult> FinishAsync(IDbContextTransaction transaction, string step, ReservationResult result, CancellationToken cancellationToken)
    {
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        metrics.Operation(step, result.Outcome.ToString());
        return result;
    }

    private static void Validate(IReadOnlyList<StockLine> lines) =>
        new Validator()
            .Require(lines.Count is >= 1 and <= 1000, "lines", "must have 1 to 1000 entries")
            .Require(lines.All(l => l.Sku is { Length: > 0 and <= 64 }), "lines", "each needs a SKU")
            .Require(lines.All(l => l.Quantity >= 1), "lines", "each needs a quantity of at least 1")
            .Require(lines.Select(l => l.Sku).Distinct(StringComparer.Ordinal).Count() == lines.Count, "lines", "must name each SKU once")
            .ThrowIfInvalid();

    private static StockLineData[] Items(List<ReservationLine> lines) => [.. lines.Select(l => new StockLineData(l.Sku, l.Quantity))];

    private static ReservationResult Done(DateTimeOffset? expiresAt) =>
        new() { Outcome = Outcome.Done, ExpiresAt = expiresAt is { } at ? Timestamp.FromDateTimeOffset(at) : null };

    private static ReservationResult Closed() => new() { Outcome = Outcome.Closed };

    private static ReservationResult Refused(ReservationState state, IEnumerable<string> skus)
    {
        var result = new ReservationResult { Outcome = state == ReservationState.UnknownProduct ? Outcome.UnknownProduct : Outcome.OutOfStock };
        result.Skus.AddRange(skus);
        return result;
    }

    /// <param name="Available">What is left.</param>
    private sealed record TakenStock(string Sku, long Available, int Quantity);
}
