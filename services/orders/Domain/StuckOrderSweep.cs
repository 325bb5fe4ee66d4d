using Dapr.Client;
using Dapr.Workflow;
using DaprPlatform.Contracts;
using DaprPlatform.Orders.Data;
using DaprPlatform.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Orders.Domain;

/// <summary>
/// Finds orders whose workflow was not started, or not told, because a process died right behind its commit, and choreographed orders whose chain of events
/// broke, which the workflow finishes: its steps have the same keys. Looks at the start and then every few seconds; one replica at a time, by a lock.
/// </summary>
internal sealed partial class StuckOrderSweep(
    IServiceScopeFactory scopes,
    DaprClient dapr,
    DaprWorkflowClient client,
    WorkflowStarter workflows,
    MigrationState<OrdersDb> migrations,
    OrderMetrics metrics,
    TimeProvider time,
    ILogger<StuckOrderSweep> logger) : BackgroundService
{
    private const string LockStore = "lockstore";
    private const string LockName = "stuck-order-sweep";
    private const int LockSeconds = 60;
    private const int BatchSize = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    // The usual way takes milliseconds.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    // Longer than an event is delivered again before it is put aside.
    private static readonly TimeSpan PatienceWithEvents = TimeSpan.FromSeconds(30);
    private readonly string _owner = Guid.NewGuid().ToString("N");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await migrations.Done.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await SweepLockedAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogPostponed(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task SweepLockedAsync(CancellationToken cancellationToken)
    {
        var suspects = await SuspectsAsync(cancellationToken);
        metrics.OldestStuck(suspects.Count == 0 ? TimeSpan.Zero : time.GetUtcNow() - suspects.Min(s => s.Since));
        if (suspects.Count == 0)
            return;
        var held = await dapr.Lock(LockStore, LockName, _owner, LockSeconds, cancellationToken);
        if (!held.Success)
            return;
        try
        {
            foreach (var suspect in suspects)
                await RescueAsync(suspect, cancellationToken);
        }
        finally
        {
            await dapr.Unlock(LockStore, LockName, _owner, CancellationToken.None);
        }
    }

    private async Task<List<Suspect>> SuspectsAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var before = time.GetUtcNow() - Patience;
        var chainBefore = time.GetUtcNow() - PatienceWithEvents;
        return await scope.ServiceProvider.GetRequiredService<OrdersDb>().Orders.AsNoTracking()
            // One that waits for an operator is not stuck.
            .Where(o => (o.Status == OrderStatus.Pending && (o.Mode == OrderModes.Orchestrated || o.CancelRequestedAt < before ? o.CreatedAt < before : o.CreatedAt < chainBefore)
                    && (o.Approval != Approval.Requested || o.CancelRequestedAt != null))
                || ((o.Status == OrderStatus.Confirmed || o.Status == OrderStatus.Processing) && o.CancelRequestedAt < before))
            .OrderBy(o => o.CreatedAt).Take(BatchSize)
            .Select(o => new Suspect(
                o.Id, o.Status == OrderStatus.Pending, o.CancelRequestedAt != null, o.Mode == OrderModes.Choreographed, o.Approval, o.CancelRequestedAt ?? o.CreatedAt))
            .ToListAsync(cancellationToken);
    }

    private async Task RescueAsync(Suspect suspect, CancellationToken cancellationToken)
    {
        var order = new OrderId(suspect.Id);
        if (!suspect.Pending || (suspect.Choreographed && suspect.CancelRequested))
        {
            await workflows.CancelAsync(order, awaited: false, cancellationToken);
            return;
        }
        var state = await client.GetWorkflowStateAsync(order.ToString(), getInputsAndOutputs: false, cancellationToken);
        if (!state.Exists || state.IsWorkflowCompleted)
        {
            // Ended without having decided the order: its failure is in the workflow's history, and every step may be repeated.
            LogStarted(logger, order.ToString(), state.Exists ? state.RuntimeStatus.ToString() : "missing");
            metrics.Rescued();
            await workflows.StartAsync(order, cancellationToken);
        }
        else if (suspect.CancelRequested)
        {
            metrics.Rescued();
            await workflows.CancelAsync(order, awaited: true, cancellationToken);
        }
        else if (suspect.Approval is Approval.Approved or Approval.Rejected)
        {
            metrics.Rescued();
            await workflows.ApproveAsync(order, suspect.Approval == Approval.Approved, cancellationToken);
        }
    }

    private sealed record Suspect(Guid Id, bool Pending, bool CancelRequested, bool Choreographed, Approval Approval, DateTimeOffset Since);

    [LoggerMessage(1, LogLevel.Warning, "The workflow of {Order} was {State}; it is started")]
    private static partial void LogStarted(ILogger logger, string order, string state);

    [LoggerMessage(2, LogLevel.Warning, "Looking for stuck orders is put off: {Reason}")]
    private static partial void LogPostponed(ILogger logger, string reason);
}
