using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>
/// Kestrel's heartbeat of a connection, going on while the server stops. Kestrel's own ends with the first moment of that, but it is the heartbeat that makes an HTTP/2
/// connection notice that its last request is over: without it the connection stays until its client closes it, and holds the shutdown up.
/// </summary>
internal sealed partial class LastingHeartbeat : IConnectionHeartbeatFeature, IDisposable
{
    /// <summary>From one beat to the next.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);

    private readonly IConnectionHeartbeatFeature _under;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly List<(Action<object> Action, object State)> _beats = [];
    private readonly CancellationTokenRegistration _registration;
    private ITimer? _timer;
    private bool _isOver;

    private LastingHeartbeat(IConnectionHeartbeatFeature under, CancellationToken closing, TimeProvider time, ILogger logger)
    {
        (_under, _time, _logger) = (under, time, logger);
        _registration = closing.UnsafeRegister(static beat => ((LastingHeartbeat)beat!).GoOn(), this);
    }

    public static async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next, TimeProvider time, ILogger logger)
    {
        if (connection.Features.Get<IConnectionHeartbeatFeature>() is not { } under || connection.Features.Get<IConnectionLifetimeNotificationFeature>() is not { } lifetime)
        {
            await next(connection).ConfigureAwait(false);
            return;
        }

        using var heartbeat = new LastingHeartbeat(under, lifetime.ConnectionClosedRequested, time, logger);
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
        // A beat under way is waited for: what it beats may be gone afterwards.
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
                _timer ??= _time.CreateTimer(static beat => ((LastingHeartbeat)beat!).Beat(), this, Pace, Pace);
        }
    }

    private void Beat()
    {
        // One that comes while another is under way has nothing to add, and must not keep a thread waiting.
        if (!Monitor.TryEnter(_beats))
            return;
        try
        {
            // By index: a beat may end the connection or begin another on this thread.
            for (var i = 0; i < _beats.Count && !_isOver; i++)
                Beat(_beats[i].Action, _beats[i].State);
        }
        finally
        {
            Monitor.Exit(_beats);
        }
    }

    private void Beat(Action<object> action, object state)
    {
        try
        {
            action(state);
        }
        catch (Exception e)
        {
            // This is a timer's thread, where nobody else would catch it; an upgraded connection has others that still need their beats.
            LogFailed(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "a connection that is being closed had no heartbeat")]
    private partial void LogFailed(Exception error);
}
