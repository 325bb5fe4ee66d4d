using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DaprPlatform.ServiceDefaults.Data;

/// <summary>
/// Saves within a transaction without a savepoint around them: a transaction whose save failed is given up as a whole everywhere, and a savepoint costs two more
/// trips to the database.
/// </summary>
internal sealed class NoSavepoints : SaveChangesInterceptor
{
    public static readonly NoSavepoints Instance = new();

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        if (eventData.Context is { } context)
            context.Database.AutoSavepointsEnabled = false;
        return new ValueTask<InterceptionResult<int>>(result);
    }
}
