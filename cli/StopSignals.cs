using System.Runtime.InteropServices;

namespace DaprPlatform.Cli;

/// <summary>Turns Ctrl-C and SIGTERM into a cancellation; a second one ends the process at once.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _registrations;
    private int _seen;

    public StopSignals() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, On),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, On),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, On),
    ];

    public CancellationToken Token => _stop.Token;

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _stop.Dispose();
    }

    private void On(PosixSignalContext context)
    {
        if (Interlocked.Increment(ref _seen) > 1)
            return; // The default action: the process ends.
        context.Cancel = true;
        _ = _stop.CancelAsync();
    }
}
