using System.Threading.Channels;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Pluggable;

/// <summary>
/// A stream of messages from a component, each handled on its own and answered when it is. A stream that breaks is begun again after a moment. Disposing waits for what is being
/// handled and sends its answers first.
/// </summary>
internal sealed partial class PluggableStream<TAnswer, TMessage> : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // For a component to end the call after it was told that nothing more comes.
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);
    private readonly Func<AsyncDuplexStreamingCall<TAnswer, TMessage>> _open;
    private readonly TAnswer? _first;
    private readonly Func<TMessage, CancellationToken, ValueTask<TAnswer>> _handle;
    private readonly ILogger _logger;
    private readonly Func<TMessage, TAnswer> _refuse;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _running;

    /// <param name="first">Sent when the stream begins; null: nothing.</param>
    /// <param name="refuse">Answers what comes while the last messages are still being handled.</param>
    public PluggableStream(Func<AsyncDuplexStreamingCall<TAnswer, TMessage>> open, TAnswer? first, Func<TMessage, CancellationToken, ValueTask<TAnswer>> handle, ILogger logger, Func<TMessage, TAnswer> refuse)
    {
        _refuse = refuse;
        _open = open;
        _first = first;
        _handle = handle;
        _logger = logger;
        _running = Task.Run(RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        _stopped.TrySetResult();
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                using var call = _open();
                await SessionAsync(call).ConfigureAwait(false);
            }
            catch (Exception e) when (e is RpcException or IOException or OperationCanceledException or InvalidOperationException or HttpRequestException)
            {
                if (!_stopping.IsCancellationRequested)
                    LogBroken(_logger, (e as RpcException)?.Status.Detail ?? e.Message);
            }

            if (!_stopping.IsCancellationRequested)
                await Task.Delay(Pause, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SessionAsync(AsyncDuplexStreamingCall<TAnswer, TMessage> call)
    {
        var answers = Channel.CreateUnbounded<TAnswer>(new UnboundedChannelOptions { SingleReader = true });
        if (_first is not null)
            answers.Writer.TryWrite(_first);
        var writing = WriteAsync(call, answers.Reader);
        var open = new HashSet<Task>();
        var next = Task.FromResult(false);
        var rest = Task.CompletedTask;
        try
        {
            // A read that waits must not be cut off with its call: what is being handled is still to be answered.
            while (true)
            {
                next = call.ResponseStream.MoveNext(CancellationToken.None);
                await Task.WhenAny(next, _stopped.Task).ConfigureAwait(false);
                if (_stopped.Task.IsCompleted || !await next.ConfigureAwait(false))
                    break;
                var handling = HandleAsync(call.ResponseStream.Current, answers.Writer);
                lock (open)
                    open.Add(handling);
                _ = handling.ContinueWith(done =>
                {
                    lock (open)
                        open.Remove(done);
                }, TaskScheduler.Default);
            }
        }
        finally
        {
            if (_stopped.Task.IsCompleted)
                rest = EndAsync(call, next, answers.Writer);
            Task[] handling;
            lock (open)
                handling = [.. open];
            await Task.WhenAll(handling).ConfigureAwait(false);
            answers.Writer.TryComplete();
            await writing.ConfigureAwait(false);
        }

        // Giving the call up takes back what the component has not read of it yet, the last answers among it: it ends the call itself when it has read all.
        await rest.WaitAsync(Farewell).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // What still comes is refused, and so delivered again to the next stream.
    private async Task EndAsync(AsyncDuplexStreamingCall<TAnswer, TMessage> call, Task<bool> next, ChannelWriter<TAnswer> answers)
    {
        while (await next.ConfigureAwait(false))
        {
            answers.TryWrite(_refuse(call.ResponseStream.Current));
            next = call.ResponseStream.MoveNext(CancellationToken.None);
        }
    }

    private async Task HandleAsync(TMessage message, ChannelWriter<TAnswer> answers) => answers.TryWrite(await _handle(message, _stopping.Token).ConfigureAwait(false));

    private static async Task WriteAsync(AsyncDuplexStreamingCall<TAnswer, TMessage> call, ChannelReader<TAnswer> answers)
    {
        try
        {
            await foreach (var answer in answers.ReadAllAsync().ConfigureAwait(false))
                await call.RequestStream.WriteAsync(answer).ConfigureAwait(false);
            await call.RequestStream.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is RpcException or IOException or OperationCanceledException or InvalidOperationException)
        {
            // The reading side learns of it too.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "the stream of a pluggable component broke; it begins again: {Reason}")]
    private static partial void LogBroken(ILogger logger, string reason);
}
