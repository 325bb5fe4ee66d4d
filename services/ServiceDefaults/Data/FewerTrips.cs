using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DaprPlatform.ServiceDefaults.Data;

/// <summary>
/// Saves with fewer trips to the database. Within a transaction without a savepoint: a transaction whose save failed is given up as a whole everywhere. Without a
/// transaction, where everything saved is new rows: they are one batch, which PostgreSQL carries out as a whole or not at all, and a COMMIT of its own would be another trip.
/// </summary>
internal sealed class FewerTrips : SaveChangesInterceptor
{
    public static readonly FewerTrips Instance = new();

    // Far below what the provider puts into one batch.
    private const int MostRows = 200;

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        if (eventData.Context is { } context)
        {
            context.Database.AutoSavepointsEnabled = false;
            context.Database.AutoTransactionBehavior =
                context.Database.CurrentTransaction is null && IsOneBatchOfNewRows(context) ? AutoTransactionBehavior.Never : AutoTransactionBehavior.WhenNeeded;
        }
        return new ValueTask<InterceptionResult<int>>(result);
    }

    // A row that is changed may turn out to be gone or newer, which is found out behind the batch: that takes a transaction to go back.
    internal static bool IsOneBatchOfNewRows(DbContext context)
    {
        var rows = 0;
        foreach (var entry in context.ChangeTracker.Entries())
        {
            if (entry.State is EntityState.Modified or EntityState.Deleted || (entry.State == EntityState.Added && (++rows > MostRows || MayBeWaitedFor(entry))))
                return false;
        }
        return true;
    }

    // Rows that need the key that the database gives to this one would be a second batch.
    private static bool MayBeWaitedFor(EntityEntry entry) =>
        entry.Metadata.GetReferencingForeignKeys().Any(f => f.PrincipalKey.Properties.Any(p => p.ValueGenerated != ValueGenerated.Never && entry.Property(p.Name).IsTemporary));
}
