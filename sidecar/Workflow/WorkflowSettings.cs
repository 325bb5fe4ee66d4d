using System.Text.Json.Nodes;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>spec.workflow of the Configuration. Limits are per sidecar; null is without. Retention times count from the end of an instance; null keeps it.</summary>
internal sealed record WorkflowSettings(int? MaxWorkflows, int? MaxActivities, TimeSpan? AnyTerminal, TimeSpan? Completed, TimeSpan? Failed, TimeSpan? Terminated)
{
    public static WorkflowSettings From(JsonObject configuration)
    {
        var workflow = configuration.Object("workflow") ?? [];
        var retention = workflow.Object("stateRetentionPolicy") ?? [];
        return new WorkflowSettings(Limit("maxConcurrentWorkflowInvocations"), Limit("maxConcurrentActivityInvocations"), Time("anyTerminal"), Time("completed"), Time("failed"), Time("terminated"));

        int? Limit(string name) => workflow.Number(name) is > 0 and var limit ? limit : null;

        TimeSpan? Time(string name) => Durations.TryParseGo(retention.Text(name), out var time) ? time : null;
    }

    /// <summary>How long an instance is kept after it has ended so; null is for ever.</summary>
    public TimeSpan? RetentionOf(OrchestrationStatus status) => status switch
    {
        OrchestrationStatus.Completed => Completed ?? AnyTerminal,
        OrchestrationStatus.Failed => Failed ?? AnyTerminal,
        OrchestrationStatus.Terminated => Terminated ?? AnyTerminal,
        _ => AnyTerminal,
    };
}

/// <summary>Lets at most so many tasks of a kind be with workers; the others wait in order.</summary>
internal sealed class ConcurrencyLimit(int? limit, Action<IWorkerTask> release)
{
    private readonly Queue<IWorkerTask> _waiting = new();
    private readonly Lock _lock = new();
    private int _under;

    public void Enter(IWorkerTask task)
    {
        lock (_lock)
        {
            if (limit is { } most && _under >= most)
            {
                _waiting.Enqueue(task);
                return;
            }

            _under++;
        }

        release(task);
    }

    /// <summary>A task is answered, or no longer wanted.</summary>
    public void Leave()
    {
        IWorkerTask? next;
        lock (_lock)
        {
            if (!_waiting.TryDequeue(out next))
            {
                _under--;
                return;
            }
        }

        release(next);
    }
}
