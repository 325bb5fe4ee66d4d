using Dapr.Workflow.Serialization;

namespace Dapr.Workflow.Worker;

internal enum ActionKind : byte
{
    Activity,
    Timer,
    ChildWorkflow,
    Event,
}

/// <summary>Stands for a result nobody reads, so that it is not deserialised.</summary>
internal readonly struct Discarded;

/// <summary>Something the workflow may be waiting for.</summary>
internal abstract class OpenTask(ActionKind kind, string name, string? key)
{
    public ActionKind Kind { get; } = kind;

    public string Name { get; } = name;

    /// <summary>Task execution id of an activity, instance id of a child workflow.</summary>
    public string? Key { get; } = key;

    /// <summary>Id of the timer that ends a wait for an event; -1 if there is none.</summary>
    public int TimeoutId { get; set; } = -1;

    public CancellationTokenRegistration Cancellation { get; set; }

    public abstract void SetResult(string? data, IWorkflowSerializer serializer);

    public abstract void SetException(Exception failure);

    public abstract void SetCanceled(CancellationToken cancellationToken);
}

internal sealed class OpenTask<T>(ActionKind kind, string name, string? key = null) : OpenTask(kind, name, key)
{
    // Without RunContinuationsAsynchronously: the workflow goes on inside the turn, on its thread.
    private readonly TaskCompletionSource<T> _source = new();

    public Task<T> Task => _source.Task;

    public override void SetResult(string? data, IWorkflowSerializer serializer)
    {
        T? value;
        try
        {
            value = typeof(T) == typeof(Discarded) ? default : serializer.Deserialize<T>(data);
        }
        catch (Exception failure)
        {
            _source.TrySetException(failure);
            return;
        }

        _source.TrySetResult(value!);
    }

    public override void SetException(Exception failure) => _source.TrySetException(failure);

    public override void SetCanceled(CancellationToken cancellationToken) => _source.TrySetCanceled(cancellationToken);
}

/// <summary>The timer that limits the wait for an event.</summary>
internal sealed class EventTimeout(OpenTask waiter, Action<OpenTask> giveUp) : OpenTask(ActionKind.Timer, waiter.Name, null)
{
    public override void SetResult(string? data, IWorkflowSerializer serializer) => giveUp(waiter);

    public override void SetException(Exception failure) => waiter.SetException(failure);

    public override void SetCanceled(CancellationToken cancellationToken)
    {
    }
}
