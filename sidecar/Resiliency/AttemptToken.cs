namespace DaprPlatform.Sidecar.Resiliency;

/// <summary>Ends with the time limit of an attempt, but not because what delivers stops: a call to the app that is under way is finished.</summary>
internal sealed class AttemptToken : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly CancellationTokenRegistration _registration;

    public AttemptToken(CancellationToken attempt, CancellationToken stopping) => _registration = attempt.Register(() =>
    {
        if (!stopping.IsCancellationRequested)
            _source.Cancel();
    });

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _registration.Dispose();
        _source.Dispose();
    }
}
