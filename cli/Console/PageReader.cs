using System.Threading.Channels;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What one open page has yet to be told. When it falls too far behind, what waits is thrown away and it is told to fetch anew.</summary>
internal sealed class PageReader(ConsoleHub hub, IReadOnlySet<string> topics, StreamFilter filter) : IDisposable
{
    private const int MostWaiting = 2100;
    private const long MostWaitingBytes = 8 << 20;
    private readonly Lock _lock = new();
    private readonly Queue<StreamMessage> _waiting = new();
    private readonly Dictionary<string, StreamMessage> _latest = new(StringComparer.Ordinal);
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private long _waitingBytes;
    private bool _reset;

    public IReadOnlySet<string> Topics => topics;

    public StreamFilter Filter => filter;

    public void Add(StreamMessage message)
    {
        lock (_lock)
        {
            if (_waiting.Count >= MostWaiting || (_waitingBytes + message.Size > MostWaitingBytes && _waiting.Count > 0))
            {
                _waiting.Clear();
                _waitingBytes = 0;
                _reset = true;
            }

            _waiting.Enqueue(message);
            _waitingBytes += message.Size;
        }

        _signal.Writer.TryWrite(true);
    }

    public void SetLatest(StreamMessage message)
    {
        lock (_lock)
            _latest[message.Topic] = message;
        _signal.Writer.TryWrite(true);
    }

    public void Reset()
    {
        lock (_lock)
            _reset = true;
        _signal.Writer.TryWrite(true);
    }

    public void Complete() => _signal.Writer.TryComplete();

    /// <summary>Waits for something to tell. False: there will be nothing more.</summary>
    public async ValueTask<bool> WaitAsync(CancellationToken cancel) => await _signal.Reader.WaitToReadAsync(cancel);

    /// <summary>All that waits, in its order; a reset comes first.</summary>
    public (bool Reset, IReadOnlyList<StreamMessage> Messages) Take()
    {
        _signal.Reader.TryRead(out _);
        lock (_lock)
        {
            var taken = (_reset, (IReadOnlyList<StreamMessage>)[.. _waiting.Concat(_latest.Values).OrderBy(m => m.Number)]);
            _reset = false;
            _waiting.Clear();
            _waitingBytes = 0;
            _latest.Clear();
            return taken;
        }
    }

    public void Dispose() => hub.Remove(this);
}
