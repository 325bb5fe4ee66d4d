using System.Diagnostics;
using System.Threading.Channels;
using Dapr.Workflow;
using DaprPlatform.Contracts;
using DaprPlatform.Workflows;
using Grpc.Core;

namespace DaprPlatform.Orders.Domain;

/// <summary>
/// Hands orders to their workflows, after their transaction and outside of the request. What is lost when the process dies in between is in the database,
/// and <see cref="StuckOrderSweep"/> finds it.
/// </summary>
internal sealed partial class WorkflowStarter(DaprWorkflowClient client, ILogger<WorkflowStarter> logger) : BackgroundService
{
    private const int Concurrency = 32;
    private readonly Channel<Func<CancellationToken, Task>> _work = Channel.CreateBounded<Func<CancellationToken, Task>>(
        new BoundedChannelOptions(10_000) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Start(OrderId order) => Enqueue(token => StartAsync(order, token));

    /// <param name="order">Whose cancellation is durable.</param>
    /// <param name="awaited">Its workflow runs, and waits for the event.</param>
    public void Cancel(OrderId order, bool awaited) => Enqueue(token => CancelAsync(order, awaited, token));

    public void Approve(OrderId order, bool approved) => Enqueue(token => ApproveAsync(order, approved, token));

    /// <summary>One that runs already is fine.</summary>
    public Task StartAsync(OrderId order, CancellationToken cancellationToken) =>
        ScheduleAsync(OrderWorkflows.Order, order.ToString(), new OrderPlaced(order.ToString()), cancellationToken);

    public Task CancelAsync(OrderId order, bool awaited, CancellationToken cancellationToken) =>
        awaited
            ? client.RaiseEventAsync(order.ToString(), OrderEvents.Cancel, new CancelRequested(CancelReasons.CancelledByCustomer), cancellationToken)
            : GiveUpAsync(order, CancelReasons.CancelledByCustomer, cancellationToken);

    /// <summary>Takes back whatever was done for an order that no workflow drives, and cancels it.</summary>
    public Task GiveUpAsync(OrderId order, string reason, CancellationToken cancellationToken) =>
        ScheduleAsync(
            OrderWorkflows.CancelOrder, OrderWorkflows.CancellationId(order.ToString()), new OrderCancellation(order.ToString(), reason), cancellationToken);

    public Task ApproveAsync(OrderId order, bool approved, CancellationToken cancellationToken) =>
        client.RaiseEventAsync(order.ToString(), OrderEvents.Approval, new ApprovalDecision(approved), cancellationToken);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Parallel.ForEachAsync(
            _work.Reader.ReadAllAsync(stoppingToken),
            new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = stoppingToken },
            async (work, token) =>
            {
                try
                {
                    await work(token);
                }
                catch (Exception e) when (!token.IsCancellationRequested)
                {
                    LogLeft(logger, e.Message);
                }
            });

    // The workflow belongs to the trace of the request that caused it, which has ended by the time the work is done.
    private void Enqueue(Func<CancellationToken, Task> work)
    {
        var request = Activity.Current is { IdFormat: ActivityIdFormat.W3C } current ? current.Context : default;
        _work.Writer.TryWrite(async token =>
        {
            using var activity = request == default
                ? null
                : new Activity("hand over to the workflow").SetParentId(request.TraceId, request.SpanId, request.TraceFlags).Start();
            await work(token);
        });
    }

    private async Task ScheduleAsync(string workflow, string instanceId, object input, CancellationToken cancellationToken)
    {
        try
        {
            await client.ScheduleNewWorkflowAsync(workflow, instanceId, input, startTime: null, cancellationToken);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.AlreadyExists)
        {
            // The sweep or another replica was faster.
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "A workflow could not be reached and is left to the sweep: {Reason}")]
    private static partial void LogLeft(ILogger logger, string reason);
}
