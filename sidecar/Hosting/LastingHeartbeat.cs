using System.Diagnostics;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>
/// Kestrel's heartbeat of a connection, going on while the server stops. Kestrel's own ends with the first moment of that, but it is the heartbeat that makes an HTTP/2
/// connection notice that its last request is over: without it the connection stays until its client closes it, and holds the shutdown up.
/// </summary>
internal sealed class LastingHeartbeat : IConnectionHeartbeatFeature, IDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);
    private readonly IConnectionHeartbeatFeature _under;
    private readonly List<(Action<object> Action, object State)> _beats = [];
    private readonly CancellationTokenRegistration _registration;
    private ITimer? _timer;
    private bool _isOver;

    private LastingHeartbeat(IConnectionHeartbeatFeature under, CancellationToken closing)
    {
        _under = under;
        _registration = closing.UnsafeRegister(static beat => ((LastingHeartbeat)beat!).GoOn(), this);
    }

    public static async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (connection.Features.Get<IConnectionHeartbeatFeature>() is not { } under || connection.Features.Get<IConnectionLifetimeNotificationFeature>() is not { } lifetime)
        {
            await next(connection).ConfigureAwait(false);
            return;
        }

        using var heartbeat = new LastingHeartbeat(under, lifetime.ConnectionClosedRequested);
        connection.Features.Set<IConnectionHeartbeatFeature>(heartbeat);
        await next(connection).ConfigureAwait(false);
    }

    public void OnHeartbeat(Action<object> action, object state)
    {
        _under.OnHeartbeat(action, state);
        lock (_beats)
            _beats.Add((action, state));
    }

    public void Dispose()
    {
        _registration.Dispose();
        lock (_beats)
        {
            _isOver = true;
            _timer?.Dispose();
        }
    }

    private void GoOn()
    {
        lock (_beats)
        {
            if (!_isOver)
                _timer ??= TimeProvider.System.CreateTimer(static beat => ((LastingHeartbeat)beat!).Beat(), this, Pace, Pace);
        }
    }

    private void Beat()
    {
        lock (_beats)
        {
            if (_isOver)
                return;
            try
            {
                foreach (var (action, state) in _beats)
                    action(state);
            }
            catch (Exception e)
            {
                // The connection is being taken down under the beat, as Kestrel's own heartbeat expects too; here nobody else would catch it.
                _isOver = true;
                _timer?.Dispose();
                Trace.WriteLine(e.Message);
            }
        }
    }
}
