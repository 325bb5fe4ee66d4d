using Dapr.Workflow;
using DaprPlatform.Contracts;
using DaprPlatform.Payments.Data;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.Workflows.Refunds;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Payments.Domain;

/// <summary>Sees a refund through, whose amount is set aside.</summary>
internal interface IRefundRunner
{
    /// <summary>Returns when it is decided, or when it takes long. Never fails: what is left is looked for.</summary>
    Task RunAsync(RefundId refund, CancellationToken cancellationToken);
}

/// <summary>
/// Hands refunds to their workflows. What a process leaves that dies behind its commit, or a sidecar that does not answer, is found by a look at the start and
/// every few seconds; a workflow that runs already is left alone.
/// </summary>
internal sealed partial class RefundRunner(
    IServiceScopeFactory scopes, DaprWorkflowClient client, MigrationState<PaymentsDb> migrations, TimeProvider time, ILogger<RefundRunner> logger)
    : BackgroundService, IRefundRunner
{
    private const int BatchSize = 100;
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    public async Task RunAsync(RefundId refund, CancellationToken cancellationToken)
    {
        try
        {
            await ScheduleAsync(refund, cancellationToken);
            await client.WaitForWorkflowCompletionAsync(refund.ToString(), getInputsAndOutputs: false, cancellationToken).WaitAsync(LongestWait, time, cancellationToken);
        }
        catch (Exception e) when (e is RpcException or TimeoutException)
        {
            LogLeft(logger, refund.ToString(), e.Message);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await migrations.Done.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                foreach (var refund in await LeftAsync(stoppingToken))
                    await ResumeAsync(refund, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogPostponed(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task<List<Guid>> LeftAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        // The usual way takes milliseconds.
        var before = time.GetUtcNow() - Interval;
        return await scope.ServiceProvider.GetRequiredService<PaymentsDb>().Refunds.AsNoTracking()
            .Where(r => r.Status == RefundStatus.Pending && r.CreatedAt < before).OrderBy(r => r.CreatedAt).Take(BatchSize).Select(r => r.Id).ToListAsync(cancellationToken);
    }

    private async Task ResumeAsync(Guid id, CancellationToken cancellationToken)
    {
        var refund = new RefundId(id);
        var state = await client.GetWorkflowStateAsync(refund.ToString(), getInputsAndOutputs: false, cancellationToken);
        // Ended without having decided the refund: every step may be repeated.
        if (!state.Exists || state.IsWorkflowCompleted)
            await ScheduleAsync(refund, cancellationToken);
    }

    private async Task ScheduleAsync(RefundId refund, CancellationToken cancellationToken)
    {
        try
        {
            await client.ScheduleNewWorkflowAsync(RefundWorkflows.Refund, refund.ToString(), new RefundAccepted(refund.ToString()), startTime: null, cancellationToken);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.AlreadyExists)
        {
            // Another replica, or the request before, was faster.
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Refund {Refund} goes on without its caller: {Reason}")]
    private static partial void LogLeft(ILogger logger, string refund, string reason);

    [LoggerMessage(2, LogLevel.Warning, "Looking for refunds that were left is put off: {Reason}")]
    private static partial void LogPostponed(ILogger logger, string reason);
}
