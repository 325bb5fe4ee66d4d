using Microsoft.Extensions.Logging;

namespace Dapr.Workflow;

/// <summary>
/// What a workflow may use while it runs. Everything here gives the same answer on every replay. Await only tasks made by the context
/// (and combinations of them).
/// </summary>
public abstract class WorkflowContext : IWorkflowContext
{
    public abstract string Name { get; }

    public abstract string InstanceId { get; }

    /// <summary>The time at which the turn began that the code is at, UTC.</summary>
    public abstract DateTime CurrentUtcDateTime { get; }

    /// <summary>True while the code runs through what already happened.</summary>
    public abstract bool IsReplaying { get; }

    /// <summary>Whether code guarded by <paramref name="patchName"/> runs: true for new instances, false for those that passed this point before the patch was there.</summary>
    public abstract bool IsPatched(string patchName);

    /// <exception cref="WorkflowTaskFailedException">The returned task fails with it when the activity failed and no retry is left.</exception>
    public virtual Task CallActivityAsync(string name, object? input = null, WorkflowTaskOptions? options = null) => CallActivityAsync<object>(name, input, options);

    /// <exception cref="WorkflowTaskFailedException">The returned task fails with it when the activity failed and no retry is left.</exception>
    public abstract Task<T> CallActivityAsync<T>(string name, object? input = null, WorkflowTaskOptions? options = null);

    public virtual Task CreateTimer(TimeSpan delay, CancellationToken cancellationToken = default) => CreateTimer(CurrentUtcDateTime.Add(delay), cancellationToken);

    /// <param name="fireAt">Must be UTC.</param>
    /// <param name="cancellationToken">Ends the wait; the durable timer itself stays and fires into nothing.</param>
    public abstract Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken);

    /// <summary>Completes with the next event of that name (in any case); events that came before the wait are kept in order.</summary>
    public abstract Task<T> WaitForExternalEventAsync<T>(string eventName, CancellationToken cancellationToken = default);

    /// <summary>As <see cref="WaitForExternalEventAsync{T}(string, CancellationToken)"/>, for at most <paramref name="timeout"/>.</summary>
    /// <param name="eventName">Compared without case.</param>
    /// <param name="timeout">Zero gives up at once; a negative one waits for ever.</param>
    /// <exception cref="TaskCanceledException">The returned task is cancelled when the time has passed.</exception>
    public virtual async Task<T> WaitForExternalEventAsync<T>(string eventName, TimeSpan timeout)
    {
        if (timeout == TimeSpan.Zero)
            throw new TaskCanceledException($"No event '{eventName}' within {timeout}.");
        if (timeout < TimeSpan.Zero)
            return await WaitForExternalEventAsync<T>(eventName, CancellationToken.None);
        using var timer = new CancellationTokenSource();
        using var wait = new CancellationTokenSource();
        var elapsed = CreateTimer(timeout, timer.Token);
        var received = WaitForExternalEventAsync<T>(eventName, wait.Token);
        if (await Task.WhenAny(received, elapsed) == received)
            timer.Cancel();
        else
            wait.Cancel();
        return await received;
    }

    public abstract void SendEvent(string instanceId, string eventName, object payload);

    /// <param name="customStatus">Serialised as it is now; null removes the status.</param>
    public abstract void SetCustomStatus(object? customStatus);

    /// <exception cref="WorkflowTaskFailedException">The returned task fails with it when the child failed and no retry is left.</exception>
    public abstract Task<TResult> CallChildWorkflowAsync<TResult>(string workflowName, object? input = null, ChildWorkflowTaskOptions? options = null);

    /// <exception cref="WorkflowTaskFailedException">The returned task fails with it when the child failed and no retry is left.</exception>
    public virtual Task CallChildWorkflowAsync(string workflowName, object? input = null, ChildWorkflowTaskOptions? options = null) =>
        CallChildWorkflowAsync<object>(workflowName, input, options);

    /// <summary>A logger that is silent while replaying.</summary>
    public abstract ILogger CreateReplaySafeLogger(string categoryName);

    /// <inheritdoc cref="CreateReplaySafeLogger(string)"/>
    public abstract ILogger CreateReplaySafeLogger(Type type);

    /// <inheritdoc cref="CreateReplaySafeLogger(string)"/>
    public abstract ILogger CreateReplaySafeLogger<T>();

    /// <summary>Starts the instance over with a new input and an empty history. The code must return after this call.</summary>
    /// <param name="newInput">Input of the next run.</param>
    /// <param name="preserveUnprocessedEvents">Whether events nobody waited for are given to the next run.</param>
    public abstract void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true);

    /// <summary>The same id on every replay.</summary>
    public abstract Guid NewGuid();

    /// <summary>What the workflows above this one showed of their histories; null if its caller asked for no propagation. The same on every replay.</summary>
    public abstract PropagatedHistory? GetPropagatedHistory();
}
