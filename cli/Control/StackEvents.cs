using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace DaprPlatform.Cli.Control;

internal enum EventKind
{
    Progress,
    Done,
    Problem,
}

/// <summary>One line of what happens in a stack.</summary>
internal sealed record StackEvent(DateTimeOffset At, EventKind Kind, string Text);

/// <summary>What happened since the start, and what happens next, for any number of readers.</summary>
internal sealed class StackEvents(TimeProvider time)
{
    private const int Kept = 1000;
    private readonly Lock _lock = new();
    private readonly List<StackEvent> _past = [];
    private readonly List<Channel<StackEvent>> _readers = [];
    private bool _closed;

    public void Add(EventKind kind, string text)
    {
        var added = new StackEvent(time.GetUtcNow(), kind, text);
        lock (_lock)
        {
            if (_past.Count == Kept)
                _past.RemoveAt(0);
            _past.Add(added);
            foreach (var reader in _readers)
                reader.Writer.TryWrite(added);
        }
    }

    public IReadOnlyList<StackEvent> Past()
    {
        lock (_lock)
            return [.. _past];
    }

    /// <summary>Ends every reader.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            foreach (var reader in _readers)
                reader.Writer.TryComplete();
        }
    }

    /// <summary>The past, then the present until the log is closed.</summary>
    public async IAsyncEnumerable<StackEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        var channel = Channel.CreateUnbounded<StackEvent>();
        lock (_lock)
        {
            foreach (var past in _past)
                channel.Writer.TryWrite(past);
            if (_closed)
                channel.Writer.TryComplete();
            else
                _readers.Add(channel);
        }

        try
        {
            await foreach (var item in channel.Reader.ReadAllAsync(cancel))
                yield return item;
        }
        finally
        {
            lock (_lock)
                _readers.Remove(channel);
        }
    }
}
