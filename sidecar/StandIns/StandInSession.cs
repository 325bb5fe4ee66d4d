using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.StandIns;

/// <summary>The way to the stand-in process, and who is told what goes wrong on it.</summary>
internal sealed record StandInConnection(CallInvoker Invoker, ILogger Logger);

/// <summary>
/// A client's part in a server of the stand-in process that lasts longer than a call: a stream that is begun again when the process was killed, until this is
/// disposed of. The stream itself has to end when <see cref="Leaving"/> is cancelled.
/// </summary>
internal sealed partial class StandInSession(ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    // What is no matter of the connection would most likely go wrong again at once.
    private static readonly TimeSpan LongPause = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _leaving = new();
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;

    /// <summary>Completes when the server first has taken the client in; fails when it refuses it.</summary>
    public Task Joined => _joined.Task;

    public bool HasJoined => _joined.Task.IsCompletedSuccessfully;

    /// <summary>Cancelled when the session is to end.</summary>
    public CancellationToken Leaving => _leaving.Token;

    /// <summary>The server has taken the client in.</summary>
    public void SetJoined() => _joined.TrySetResult();

    /// <summary>Begins. Called once.</summary>
    /// <param name="stream">One stream from its begin to its end.</param>
    public void Start(Func<Task> stream) => _running = Task.Run(() => RunAsync(stream));

    public async ValueTask DisposeAsync()
    {
        await _leaving.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _leaving.Dispose();
    }

    /// <summary>A stream ended with its connection or its call, not by a mistake.</summary>
    public static bool IsEnd(Exception e) => StandInCalls.IsLost(e) || e is InvalidOperationException or OperationCanceledException;

    private async Task RunAsync(Func<Task> stream)
    {
        while (!_leaving.IsCancellationRequested)
        {
            var pause = Pause;
            try
            {
                await stream().ConfigureAwait(false);
            }
            catch (Exception e) when (IsEnd(e))
            {
                // Killed: the next call starts it again.
            }
            catch (Exception e)
            {
                // A refusal before the client was ever in is its caller's; later there is nobody else to tell.
                if (!_joined.TrySetException(e))
                    LogBroken(logger, e);
                pause = LongPause;
            }

            if (!_leaving.IsCancellationRequested)
                await Task.Delay(pause, _leaving.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _joined.TrySetCanceled();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "a stream of the stand-in process broke; it begins again")]
    private static partial void LogBroken(ILogger logger, Exception error);
}
