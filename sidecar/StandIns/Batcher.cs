using System.Threading.Channels;

namespace DaprPlatform.Sidecar.StandIns;

/// <summary>
/// Sends items one call at a time; what comes while a call is under way goes with the next one together. Under load a call carries many items, without load
/// none waits.
/// </summary>
internal sealed class Batcher<TItem, TResult>(Func<IReadOnlyList<TItem>, Task<IReadOnlyList<TResult>>> send, int largest) : IAsyncDisposable
{
    private readonly Channel<(IReadOnlyList<TItem> Items, TaskCompletionSource<IReadOnlyList<TResult>> Done)> _waiting =
        Channel.CreateUnbounded<(IReadOnlyList<TItem>, TaskCompletionSource<IReadOnlyList<TResult>>)>(new UnboundedChannelOptions { SingleReader = true });

    private readonly Lock _lock = new();
    private Task? _sending;

    /// <summary>Completes with one result an item.</summary>
    public Task<IReadOnlyList<TResult>> SendAsync(IReadOnlyList<TItem> items)
    {
        var done = new TaskCompletionSource<IReadOnlyList<TResult>>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_sending is null)
        {
            lock (_lock)
                _sending ??= Task.Run(RunAsync);
        }

        if (!_waiting.Writer.TryWrite((items, done)))
            done.TrySetException(new ObjectDisposedException(nameof(Batcher<TItem, TResult>)));
        return done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        if (_sending is { } sending)
            await sending.ConfigureAwait(false);
    }

    private async Task RunAsync()
    {
        var group = new List<(IReadOnlyList<TItem> Items, TaskCompletionSource<IReadOnlyList<TResult>> Done)>();
        while (await _waiting.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            group.Clear();
            var count = 0;
            while (count < largest && _waiting.Reader.TryRead(out var next))
            {
                group.Add(next);
                count += next.Items.Count;
            }

            try
            {
                var results = await send(group is [var one] ? one.Items : [.. group.SelectMany(g => g.Items)]).ConfigureAwait(false);
                var at = 0;
                foreach (var (items, done) in group)
                {
                    done.TrySetResult(group.Count == 1 ? results : [.. results.Skip(at).Take(items.Count)]);
                    at += items.Count;
                }
            }
            catch (Exception e)
            {
                foreach (var (_, done) in group)
                    done.TrySetException(e);
            }
        }
    }
}
