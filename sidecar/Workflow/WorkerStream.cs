using System.Threading.Channels;
using Dapr.DurableTask.Protobuf;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>Something for a worker: a turn or an activity.</summary>
internal interface IWorkerTask
{
    /// <summary>The stream it was given to; null while it waits.</summary>
    WorkerStream? Stream { get; set; }

    WorkItem ToWorkItem();
}

/// <summary>One activity of one instance.</summary>
internal sealed class ActivityTask(string instanceId, string executionId, HistoryEvent scheduled) : IWorkerTask
{
    public string InstanceId { get; } = instanceId;

    public string ExecutionId { get; } = executionId;

    public HistoryEvent Scheduled { get; } = scheduled;

    public WorkerStream? Stream { get; set; }

    public long StartedAt { get; set; }

    public WorkItem ToWorkItem()
    {
        var task = Scheduled.TaskScheduled;
        return new WorkItem
        {
            ActivityRequest = new ActivityRequest
            {
                Name = task.Name,
                Version = task.Version,
                Input = task.Input,
                WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = InstanceId },
                TaskId = Scheduled.EventId,
                ParentTraceContext = task.ParentTraceContext,
                TaskExecutionId = task.TaskExecutionId,
            },
        };
    }
}

/// <summary>The GetWorkItems stream of one worker. What it was given and has not answered goes to another worker when it ends.</summary>
internal sealed class WorkerStream
{
    private readonly HashSet<IWorkerTask> _given = [];
    private readonly Lock _lock = new();

    /// <summary>Sends work as it comes until the call ends.</summary>
    public async Task RunAsync(ChannelReader<IWorkerTask> queue, Func<IWorkerTask, bool> isWanted, IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken)
    {
        while (await queue.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            while (!cancellationToken.IsCancellationRequested && queue.TryRead(out var task))
            {
                if (!isWanted(task))
                    continue;
                lock (_lock)
                    _given.Add(task);
                task.Stream = this;
                await writer.WriteAsync(task.ToWorkItem(), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public void Answered(IWorkerTask task)
    {
        lock (_lock)
            _given.Remove(task);
    }

    /// <summary>Takes back what was given and not answered.</summary>
    public IReadOnlyList<IWorkerTask> TakeBack()
    {
        lock (_lock)
        {
            var tasks = _given.ToArray();
            _given.Clear();
            foreach (var task in tasks)
                task.Stream = null;
            return tasks;
        }
    }
}
