using System.Net.Sockets;

namespace DaprPlatform.Sidecar.Http.Client;

/// <summary>
/// Connects to an app that may be on its way back: while it refuses connections for a short time, calls wait for it in place of failing. Nothing of a call has
/// been sent before there is a connection, so whatever it does, it does once.
/// </summary>
/// <param name="patience">Counted from the first refusal: an app that stays away is soon waited for no more.</param>
internal sealed class PatientConnect(TimeSpan patience, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private long _refusedSince;

    /// <summary>For how long a connection may take.</summary>
    public TimeSpan Patience => patience;

    /// <exception cref="SocketException">There is no connection, or none within the patience.</exception>
    public async ValueTask<Socket> ConnectAsync(Func<Socket, CancellationToken, ValueTask> connect, CancellationToken cancellationToken)
    {
        while (true)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await connect(socket, cancellationToken).ConfigureAwait(false);
                Volatile.Write(ref _refusedSince, 0);
                return socket;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused && MayComeBack())
            {
                socket.Dispose();
            }
            catch
            {
                socket.Dispose();
                throw;
            }

            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private bool MayComeBack()
    {
        if (patience <= TimeSpan.Zero)
            return false;
        var now = time.GetTimestamp();
        var since = Interlocked.CompareExchange(ref _refusedSince, now, 0);
        return since == 0 || time.GetElapsedTime(since, now) < patience;
    }
}
