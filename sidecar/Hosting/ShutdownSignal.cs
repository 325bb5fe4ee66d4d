namespace DaprPlatform.Sidecar.Hosting;

/// <summary>A wish for the end of the sidecar, from its API or from a failure that it cannot survive.</summary>
internal sealed class ShutdownSignal
{
    private readonly TaskCompletionSource<bool> _requested = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the first wish; true: at once, without grace. Faults when the sidecar cannot go on (exit code 1).</summary>
    public Task<bool> Requested => _requested.Task;

    public void Request(bool force) => _requested.TrySetResult(force);

    public void Fail(Exception error) => _requested.TrySetException(error);
}
