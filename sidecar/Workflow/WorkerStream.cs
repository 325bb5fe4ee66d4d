using System.Threading.Channels;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Observability;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>Something for a worker: a turn or an activity.</summary>
internal interface IWorkerTask
{
    bool IsTurn { get; }

    /// <summary>Of the workflow or the activity.</summary>
    string Name { get; }

    /// <summary>The stream it was given to; null while it waits. The dispatcher's to set.</summary>
    WorkerStream? Stream { get; set; }

    WorkItem ToWorkItem(WorkerProfile worker);
}

/// <summary>One activity of one instance.</summary>
internal sealed class ActivityTask(string instanceId, string executionId, HistoryEvent scheduled) : IWorkerTask
{
    public string InstanceId { get; } = instanceId;

    public string ExecutionId { get; } = executionId;

    public HistoryEvent Scheduled { get; } = scheduled;

    public bool IsTurn => false;

    public string Name => Scheduled.TaskScheduled.Name;

    public WorkerStream? Stream { get; set; }

    public DateTimeOffset StartedAt { get; set; }

    /// <summary>Of its span; null where it is not traced.</summary>
    public Observability.TraceContext? Trace { get; set; }

    /// <summary>For an activity of another app's workflow: takes its answer. Null: it is of this app.</summary>
    public TaskCompletionSource<ActivityResponse>? Answer { get; init; }

    public WorkItem ToWorkItem(WorkerProfile worker)
    {
        var task = Scheduled.TaskScheduled;
        return new WorkItem
        {
            // An answer to an earlier hand-out counts as well, but not one for an earlier execution of the instance.
            CompletionToken = worker.TakesTokens && Answer is null ? ExecutionId : "",
            ActivityRequest = new ActivityRequest
            {
                Name = task.Name,
                Version = task.Version,
                Input = task.Input,
                WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = InstanceId },
                TaskId = Scheduled.EventId,
                ParentTraceContext = WorkflowTelemetry.OfActivity(this),
                TaskExecutionId = task.TaskExecutionId,
            },
        };
    }
}

/// <summary>What is known of a worker.</summary>
/// <param name="Group">The sidecar it is connected to.</param>
/// <param name="TakesTokens">It echoes the token of a turn, so that an answer to an earlier hand-out of the turn is told from one to the latest.</param>
internal sealed record WorkerProfile(WorkerGroup Group, bool TakesTokens);

/// <summary>The GetWorkItems stream of one worker.</summary>
internal sealed class WorkerStream(WorkerProfile worker, TimeProvider time)
{
    // A worker that takes nothing for so long is given up: its work goes to others.
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(10);
    private readonly Channel<IWorkerTask> _queue = Channel.CreateUnbounded<IWorkerTask>(new UnboundedChannelOptions { SingleReader = true });

    public WorkerGroup Group => worker.Group;

    /// <summary>What it was given and has not answered; guarded by the dispatcher.</summary>
    public HashSet<IWorkerTask> Given { get; } = [];

    public void Push(IWorkerTask task) => _queue.Writer.TryWrite(task);

    /// <summary>Sends work as it comes until the call ends.</summary>
    /// <param name="take">Called before an item is sent; false leaves it out.</param>
    public async Task RunAsync(Func<IWorkerTask, bool> take, IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken)
    {
        while (await _queue.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            while (!cancellationToken.IsCancellationRequested && _queue.Reader.TryRead(out var task))
            {
                if (!take(task))
                    continue;
                var sent = writer.WriteAsync(task.ToWorkItem(worker), cancellationToken);
                if (!sent.IsCompletedSuccessfully)
                    await sent.WaitAsync(SendTimeout, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
