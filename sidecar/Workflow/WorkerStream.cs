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

    WorkItem ToWorkItem(WorkerStream stream);
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

    /// <summary>What the workflow shows the activity of its history; null: nothing.</summary>
    public PropagatedHistory? Propagated { get; init; }

    /// <summary>For an activity of another app's workflow: takes its answer. Null: it is of this app.</summary>
    public TaskCompletionSource<ActivityResponse>? Answer { get; init; }

    /// <summary>How many wait for <see cref="Answer"/>: none when the app that asked is gone. The engine's to count.</summary>
    public int Askers { get; set; }

    public WorkItem ToWorkItem(WorkerStream stream)
    {
        var task = Scheduled.TaskScheduled;
        return new WorkItem
        {
            // An answer to an earlier hand-out counts as well, but not one for an earlier execution of the instance.
            CompletionToken = stream.Worker.TakesTokens && Answer is null ? ExecutionId : "",
            ActivityRequest = new ActivityRequest
            {
                Name = task.Name,
                Version = task.Version,
                Input = task.Input,
                WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = InstanceId },
                TaskId = Scheduled.EventId,
                ParentTraceContext = WorkflowTelemetry.OfActivity(this),
                TaskExecutionId = task.TaskExecutionId,
                PropagatedHistory = Propagated,
            },
        };
    }
}

/// <summary>What is known of a worker.</summary>
/// <param name="Group">The sidecar it is connected to.</param>
/// <param name="TakesTokens">It echoes the token of a turn, so that an answer to an earlier hand-out of the turn is told from one to the latest.</param>
/// <param name="KeepsHistory">It keeps the past events that it was sent, so that those of a long history need not be sent again.</param>
/// <param name="IsBuiltIn">It is a sidecar itself, for the work that is no app's.</param>
internal sealed record WorkerProfile(WorkerGroup Group, bool TakesTokens, bool KeepsHistory = false, bool IsBuiltIn = false);

/// <summary>The GetWorkItems stream of one worker.</summary>
internal sealed class WorkerStream(WorkerProfile worker, TimeProvider time)
{
    // A worker that takes nothing for so long is given up: its work goes to others.
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(10);
    private readonly Channel<IWorkerTask> _queue = Channel.CreateUnbounded<IWorkerTask>(new UnboundedChannelOptions { SingleReader = true });

    // Shorter ones are sent as a whole: keeping them costs more than it saves.
    private const int LongHistory = 32;
    private const int KeptInstances = 1024;
    private readonly Dictionary<string, (string Execution, int Events)> _kept = new(StringComparer.Ordinal);

    public WorkerProfile Worker => worker;

    public WorkerGroup Group => worker.Group;

    /// <summary>How many of so many past events the worker has from an earlier turn; from now on it has them all. For the sender of this stream.</summary>
    public int Keep(string instanceId, string execution, int events)
    {
        if (!worker.KeepsHistory || events < LongHistory)
            return 0;
        var kept = _kept.TryGetValue(instanceId, out var known) && known.Execution == execution && known.Events <= events ? known.Events : 0;
        if (_kept.Count >= KeptInstances && kept == 0)
            _kept.Clear();
        _kept[instanceId] = (execution, events);
        return kept;
    }

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
                var sent = writer.WriteAsync(task.ToWorkItem(this), cancellationToken);
                if (!sent.IsCompletedSuccessfully)
                    await sent.WaitAsync(SendTimeout, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
