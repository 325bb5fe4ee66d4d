using DaprPlatform.Orders.Data;
using DaprPlatform.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Orders.History;

/// <summary>
/// Builds the read model anew from the orders themselves, some hundred at a time. How far it is, is in the database: a process that dies is followed by the next
/// one where it was, and rows that are written twice are the same rows.
/// </summary>
internal sealed class SummaryBuilder(OrdersDb db, SummaryStore store)
{
    public int BatchSize { get; init; } = 500;

    /// <summary>One batch, or the end. False: there was nothing to do.</summary>
    public async Task<bool> StepAsync(CancellationToken cancellationToken)
    {
        var state = await store.StateAsync(cancellationToken);
        if (state.Building is not { } generation)
            return false;
        var after = state.Position ?? Guid.Empty;
        var orders = await db.Orders.AsNoTracking().Where(o => o.Id > after).OrderBy(o => o.Id).Take(BatchSize).Include(o => o.Lines).Include(o => o.History).AsSplitQuery()
            .ToListAsync(cancellationToken);
        if (orders.Count > 0)
            await store.BuildAsync(generation, [.. orders.Select(OrderSummary.From)], cancellationToken);
        // Those that come now are told by events, which go to both generations.
        if (orders.Count < BatchSize)
            await store.FinishAsync(generation, cancellationToken);
        return true;
    }
}

/// <summary>Sees rebuilds through.</summary>
internal sealed partial class SummaryRebuild(IServiceScopeFactory scopes, MigrationState<OrdersDb> migrations, TimeProvider time, ILogger<SummaryRebuild> logger) : BackgroundService
{
    // For one that another replica was asked for and left.
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(30);
    private readonly Signal _signal = new();

    /// <summary>There is one to be done.</summary>
    public void Wake() => _signal.Set();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await migrations.Done.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await StepAsync(stoppingToken))
                {
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogPostponed(logger, e.Message);
            }
            await _signal.WaitAsync(LookInterval, time, stoppingToken);
        }
    }

    private async Task<bool> StepAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<SummaryBuilder>().StepAsync(cancellationToken);
    }

    [LoggerMessage(1, LogLevel.Warning, "Building the summaries of orders is put off: {Reason}")]
    private static partial void LogPostponed(ILogger logger, string reason);
}
