using System.Data.Common;
using DaprPlatform.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DaprPlatform.ServiceDefaults.Outbox;

/// <summary>Wakes the relay. Set from the start, so that it looks for what an earlier process left.</summary>
public sealed class OutboxSignal
{
    private readonly Signal _signal = new();

    public OutboxSignal() => Set();

    public void Set() => _signal.Set();

    /// <summary>Returns on a signal, or when <paramref name="atMost"/> has passed.</summary>
    public Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken) => _signal.WaitAsync(atMost, time, cancellationToken);
}

/// <summary>Signals when a commit may have brought new events.</summary>
internal sealed class OutboxSignalInterceptor(OutboxSignal signal) : SaveChangesInterceptor, IDbTransactionInterceptor
{
    public override ValueTask<int> SavedChangesAsync(SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        if (eventData.Context is { Database.CurrentTransaction: null } context && HasEvents(context))
            signal.Set();
        return new ValueTask<int>(result);
    }

    public Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        if (eventData.Context is { } context && HasEvents(context))
            signal.Set();
        return Task.CompletedTask;
    }

    private static bool HasEvents(DbContext context)
    {
        // No DetectChanges: what was saved is tracked already.
        var detect = context.ChangeTracker.AutoDetectChangesEnabled;
        context.ChangeTracker.AutoDetectChangesEnabled = false;
        try
        {
            return context.ChangeTracker.Entries<OutboxMessage>().Any();
        }
        finally
        {
            context.ChangeTracker.AutoDetectChangesEnabled = detect;
        }
    }
}
