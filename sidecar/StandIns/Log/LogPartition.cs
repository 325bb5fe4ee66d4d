namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>
/// One partition: messages by offset. Recent ones are in memory, older ones are read from the journal by their position. Readers that have caught up are
/// woken by the next append. Appended to by the journal's writer thread only, read by anyone.
/// </summary>
internal sealed class LogPartition
{
    private readonly Lock _lock = new();
    private Slot[] _slots = new Slot[64];
    private int _head;
    private int _count;
    private TaskCompletionSource _grown = New();

    public LogPartition(string topic, int index, long start)
    {
        Topic = topic;
        Index = index;
        Start = start;
    }

    public string Topic { get; }

    public int Index { get; }

    /// <summary>Offset of the oldest message that is kept.</summary>
    public long Start { get; private set; }

    /// <summary>Offset of the next message.</summary>
    public long End
    {
        get
        {
            lock (_lock)
                return Start + _count;
        }
    }

    /// <summary>Makes a message visible: its record is on the disk.</summary>
    /// <param name="message">Null: not kept in memory.</param>
    public void Append(JournalPosition position, LogMessage? message)
    {
        TaskCompletionSource grown;
        lock (_lock)
        {
            if (_count == _slots.Length)
                Grow();
            _slots[(_head + _count++) & (_slots.Length - 1)] = new Slot(position, message);
            grown = _grown;
            if (grown.Task.IsCompleted)
                return;
            _grown = Completed;
        }

        grown.TrySetResult();
    }

    /// <summary>Drops the copy in memory; the message is read from the journal from now on.</summary>
    public void Evict(long offset)
    {
        lock (_lock)
        {
            if (offset >= Start && offset < Start + _count)
            {
                ref var slot = ref _slots[(_head + (int)(offset - Start)) & (_slots.Length - 1)];
                slot = slot with { Message = null };
            }
        }
    }

    /// <summary>Forgets messages of segments that are deleted.</summary>
    public void DropBefore(int segment)
    {
        lock (_lock)
        {
            while (_count > 0 && _slots[_head].Position.Segment < segment)
                RemoveFirst();
        }
    }

    /// <summary>Forgets the oldest messages until at most so many are left.</summary>
    public void Trim(long keep)
    {
        lock (_lock)
        {
            while (_count > keep)
                RemoveFirst();
        }
    }

    /// <summary>
    /// Messages from an offset on (or from the oldest kept, where that is later): as many as there are, at most <paramref name="count"/> and, beyond the first,
    /// <paramref name="bytes"/>. Empty when there is none yet.
    /// </summary>
    public IReadOnlyList<LogMessage> Read(long offset, int count, int bytes, Func<JournalPosition, long, LogMessage?> load)
    {
        List<LogMessage> messages;
        List<(int At, long Offset, JournalPosition Position)>? missing = null;
        lock (_lock)
        {
            offset = Math.Max(offset, Start);
            var available = Start + _count - offset;
            if (available <= 0)
                return [];
            messages = new List<LogMessage>((int)Math.Min(count, available));
            while (messages.Count < count && offset < Start + _count)
            {
                var slot = _slots[(_head + (int)(offset - Start)) & (_slots.Length - 1)];
                var size = slot.Message?.Size ?? slot.Position.Length;
                if (messages.Count > 0 && size > bytes)
                    break;
                bytes -= size;
                if (slot.Message is null)
                    (missing ??= []).Add((messages.Count, offset, slot.Position));
                messages.Add(slot.Message!);
                offset++;
            }
        }

        if (missing is not null)
        {
            foreach (var (at, missingOffset, position) in missing)
                messages[at] = load(position, missingOffset)!;
            // A segment that was deleted meanwhile takes its messages with it.
            messages.RemoveAll(static m => m is null);
        }

        return messages;
    }

    /// <summary>Completes when there is a message at or behind an offset.</summary>
    public Task WhenAvailable(long offset)
    {
        lock (_lock)
        {
            if (offset < Start + _count)
                return Task.CompletedTask;
            if (_grown.Task.IsCompleted)
                _grown = New();
            return _grown.Task;
        }
    }

    private static readonly TaskCompletionSource Completed = MakeCompleted();

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static TaskCompletionSource MakeCompleted()
    {
        var source = New();
        source.SetResult();
        return source;
    }

    private void RemoveFirst()
    {
        _slots[_head] = default;
        _head = (_head + 1) & (_slots.Length - 1);
        _count--;
        Start++;
    }

    private void Grow()
    {
        var larger = new Slot[_slots.Length * 2];
        for (var i = 0; i < _count; i++)
            larger[i] = _slots[(_head + i) & (_slots.Length - 1)];
        _slots = larger;
        _head = 0;
    }

    private readonly record struct Slot(JournalPosition Position, LogMessage? Message);
}
