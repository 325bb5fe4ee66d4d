using System.Globalization;
using System.Text.Json;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>Everything that open pages are told, in one order, with a bounded past to resume from.</summary>
internal sealed class ConsoleHub(TimeProvider time) : IConsoleStream, IAsyncDisposable
{
    /// <summary>As the last id: everything that is kept.</summary>
    public const string FromStart = "start";

    private const int MostKept = 2000;
    private const int MostKeptBytes = 4 << 20;
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly string _epoch = time.GetUtcNow().UtcTicks.ToString("x", CultureInfo.InvariantCulture);
    private readonly Queue<StreamMessage> _kept = new();
    private readonly Dictionary<string, long> _forgotten = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StreamMessage> _latest = new(StringComparer.Ordinal);
    private readonly List<PageReader> _readers = [];
    private readonly List<Producer> _producers = [];
    private long _keptBytes;
    private long _number;
    private bool _closed;

    public int Readers
    {
        get
        {
            lock (_lock)
                return _readers.Count;
        }
    }

    public bool IsListened(string topic)
    {
        lock (_lock)
            return _readers.Exists(r => r.Topics.Contains(topic)) || _producers.Exists(p => p.Topic == topic && p.Running is not null);
    }

    public void Publish(string topic, object payload)
    {
        var bytes = payload is IFilteredPayload ? null : JsonSerializer.SerializeToUtf8Bytes(payload, payload.GetType(), ConsoleJson.Options);
        var size = payload is IFilteredPayload filtered ? filtered.ApproximateBytes : bytes!.Length;
        lock (_lock)
        {
            var message = new StreamMessage(++_number, topic, payload, bytes) { Size = size };
            _kept.Enqueue(message);
            _keptBytes += size;
            while (_kept.Count > MostKept || (_keptBytes > MostKeptBytes && _kept.Count > 1))
            {
                var gone = _kept.Dequeue();
                _keptBytes -= gone.Size;
                _forgotten[gone.Topic] = gone.Number;
            }

            foreach (var reader in _readers)
            {
                if (reader.Topics.Contains(topic))
                    reader.Add(message);
            }
        }
    }

    public void PublishLatest(string topic, object payload)
    {
        lock (_lock)
        {
            var message = _latest[topic] = new StreamMessage(++_number, topic, payload, null);
            foreach (var reader in _readers)
            {
                if (reader.Topics.Contains(topic))
                    reader.SetLatest(message);
            }
        }
    }

    /// <summary>Something of a topic was left out: those who read it fetch anew.</summary>
    public void Interrupt(string topic)
    {
        lock (_lock)
        {
            _forgotten[topic] = ++_number;
            foreach (var reader in _readers.Where(r => r.Topics.Contains(topic)))
                reader.Reset();
        }
    }

    public IDisposable WhileListened(string topic, Func<CancellationToken, Task> produce) => WhileListened(topic, (ready, cancel) =>
    {
        ready();
        return produce(cancel);
    });

    /// <summary>The same for a producer that says itself from when on it misses nothing.</summary>
    public IDisposable WhileListened(string topic, Func<Action, CancellationToken, Task> produce)
    {
        var producer = new Producer(this, topic, produce);
        lock (_lock)
        {
            _producers.Add(producer);
            if (_readers.Exists(r => r.Topics.Contains(topic)))
                Start(producer);
        }

        return producer;
    }

    /// <summary>Returns when those who produce the topics miss nothing any more.</summary>
    public Task ReadyAsync(IReadOnlySet<string> topics, CancellationToken cancel)
    {
        lock (_lock)
            return Task.WhenAll(_producers.Where(p => topics.Contains(p.Topic)).Select(p => p.Ready)).WaitAsync(cancel);
    }

    /// <summary>Begins to read; dispose it to end.</summary>
    /// <param name="topics">Those wanted.</param>
    /// <param name="filter">Of this reader.</param>
    /// <param name="lastId">The last message it has; <see cref="FromStart"/>; null: what happens from now.</param>
    public PageReader Subscribe(IReadOnlySet<string> topics, StreamFilter filter, string? lastId)
    {
        lock (_lock)
        {
            var reader = new PageReader(this, topics, filter);
            foreach (var producer in _producers.Where(p => topics.Contains(p.Topic)))
                Start(producer);
            foreach (var topic in topics)
            {
                if (_latest.TryGetValue(topic, out var message))
                    reader.SetLatest(message);
            }

            if (lastId is not null)
            {
                var from = lastId == FromStart ? 0 : NumberOf(lastId);
                if (from is not { } number || topics.Any(t => _forgotten.GetValueOrDefault(t) > number))
                    reader.Reset();
                else
                    foreach (var message in _kept.Where(m => m.Number > number && topics.Contains(m.Topic)))
                        reader.Add(message);
            }

            if (_closed)
                reader.Complete();
            _readers.Add(reader);
            return reader;
        }
    }

    public string IdOf(long number) => string.Create(CultureInfo.InvariantCulture, $"{_epoch}-{number}");

    public long LastNumber
    {
        get
        {
            lock (_lock)
                return _number;
        }
    }

    public async ValueTask DisposeAsync()
    {
        List<Task> running;
        lock (_lock)
        {
            _closed = true;
            foreach (var reader in _readers)
                reader.Complete();
            running = [.. _producers.Select(p => p.Running).OfType<Task>()];
            foreach (var producer in _producers)
                producer.Stop();
        }

        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    internal void Remove(PageReader reader)
    {
        lock (_lock)
        {
            if (!_readers.Remove(reader))
                return;
            foreach (var producer in _producers.Where(p => reader.Topics.Contains(p.Topic) && !_readers.Exists(r => r.Topics.Contains(p.Topic))))
                producer.EndAfter(Linger, time);
        }
    }

    private long? NumberOf(string id)
    {
        var dash = id.IndexOf('-', StringComparison.Ordinal);
        return dash > 0 && id[..dash] == _epoch && long.TryParse(id.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= _number ? number : null;
    }

    private void Start(Producer producer)
    {
        // What happened before it ran was told to nobody: who was here before that has a gap.
        if (!_closed && producer.Start())
            _forgotten[producer.Topic] = _number;
    }

    private sealed class Producer(ConsoleHub hub, string topic, Func<Action, CancellationToken, Task> produce) : IDisposable
    {
        private CancellationTokenSource? _stop;
        private ITimer? _ending;

        public string Topic => topic;

        public Task? Running { get; private set; }

        public Task Ready { get; private set; } = Task.CompletedTask;

        /// <returns>True when it did not run.</returns>
        public bool Start()
        {
            _ending?.Dispose();
            _ending = null;
            if (_stop is not null)
                return false;
            var stop = _stop = new CancellationTokenSource();
            var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Ready = ready.Task;
            Running = Task.Run(async () =>
            {
                try
                {
                    await produce(() => ready.TrySetResult(), stop.Token);
                }
                catch (OperationCanceledException) when (stop.IsCancellationRequested)
                {
                    return;
                }
                finally
                {
                    ready.TrySetResult();
                    stop.Dispose();
                }
            });
            return true;
        }

        public void EndAfter(TimeSpan wait, TimeProvider time)
        {
            _ending?.Dispose();
            ITimer? mine = null;
            mine = time.CreateTimer(_ =>
            {
                lock (hub._lock)
                {
                    if (_ending == mine)
                        Stop();
                }
            }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _ending = mine;
            mine.Change(wait, Timeout.InfiniteTimeSpan);
        }

        public void Stop()
        {
            _ending?.Dispose();
            _ending = null;
            try
            {
                _stop?.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It ended by itself.
            }

            _stop = null;
            Running = null;
        }

        public void Dispose()
        {
            lock (hub._lock)
            {
                Stop();
                hub._producers.Remove(this);
            }
        }
    }
}

/// <summary>One message; its JSON is made once for all who get the same.</summary>
internal sealed record StreamMessage(long Number, string Topic, object Payload, byte[]? Written)
{
    private byte[]? _written = Written;

    public int Size { get; init; }

    /// <summary>Null: nothing of it is for this reader.</summary>
    public byte[]? BytesFor(StreamFilter filter)
    {
        if (Payload is IFilteredPayload filtered)
            return filtered.For(filter) is { } part ? JsonSerializer.SerializeToUtf8Bytes(part, part.GetType(), ConsoleJson.Options) : null;
        return _written ??= JsonSerializer.SerializeToUtf8Bytes(Payload, Payload.GetType(), ConsoleJson.Options);
    }
}
