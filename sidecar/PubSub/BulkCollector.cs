namespace DaprPlatform.Sidecar.PubSub;

/// <summary>
/// Puts single deliveries that run side by side together into bulk deliveries, for components that have none of their own: a batch goes when it is full or its
/// first message has waited long enough; each delivery waits for the answer to its own message.
/// </summary>
internal sealed class BulkCollector(BulkLimits limits, BulkHandler handler, TimeProvider time)
{
    private readonly int _count = limits.MaxCount ?? BulkLimits.DefaultCount;
    private readonly TimeSpan _wait = limits.MaxWait ?? BulkLimits.DefaultWait;
    private readonly Lock _lock = new();
    private Batch? _open;

    /// <inheritdoc cref="MessageHandler"/>
    public async ValueTask<string?> AddAsync(PubSubMessage message, CancellationToken stopping)
    {
        Batch batch;
        int index;
        lock (_lock)
        {
            batch = _open ??= Open(stopping);
            index = batch.Messages.Count;
            batch.Messages.Add(message);
            if (batch.Messages.Count >= _count || stopping.IsCancellationRequested)
                Close(batch);
        }

        var answers = await batch.Answers.Task.ConfigureAwait(false);
        return answers[index];
    }

    private Batch Open(CancellationToken stopping)
    {
        var batch = new Batch(stopping);
        batch.Timer = time.CreateTimer(state =>
        {
            lock (_lock)
                Close((Batch)state!);
        }, batch, _wait, Timeout.InfiniteTimeSpan);
        // A subscription that ends delivers what it has taken, and does not wait for more.
        batch.Stop = stopping.UnsafeRegister(state =>
        {
            lock (_lock)
                Close((Batch)state!);
        }, batch);
        return batch;
    }

    // Under the lock.
    private void Close(Batch batch)
    {
        if (_open != batch)
            return;
        _open = null;
        batch.Timer?.Dispose();
        batch.Stop.Unregister();
        _ = Task.Run(() => SendAsync(batch));
    }

    private async Task SendAsync(Batch batch)
    {
        try
        {
            batch.Answers.TrySetResult(await handler(batch.Messages, batch.Stopping).ConfigureAwait(false));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            batch.Answers.TrySetResult([.. batch.Messages.Select(_ => e.Message)]);
        }
    }

    private sealed class Batch(CancellationToken stopping)
    {
        public List<PubSubMessage> Messages { get; } = [];

        public TaskCompletionSource<IReadOnlyList<string?>> Answers { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationToken Stopping => stopping;

        public ITimer? Timer { get; set; }

        public CancellationTokenRegistration Stop { get; set; }
    }
}
