namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>
/// A group's members and what each has of one topic. Partitions are shared evenly and stay where they are as far as that allows; one that moves is given to
/// its new member only after the old one has ended with it, so that a partition never has two readers.
/// </summary>
internal sealed class ConsumerGroup
{
    private readonly Lock _lock = new();
    private readonly MessageLog _log;
    private readonly string _name;
    private readonly string _topic;
    private readonly Share[] _shares;
    private readonly List<Member> _members = [];

    public ConsumerGroup(MessageLog log, string name, string topic, LogPartition[] partitions)
    {
        _log = log;
        _name = name;
        _topic = topic;
        _shares = [.. partitions.Select(p => new Share(p))];
    }

    public IAsyncDisposable Join(bool fromOldest, LogConsumer consumer)
    {
        var member = new Member(this, fromOldest, consumer);
        lock (_lock)
        {
            _members.Add(member);
            Rebalance();
        }

        return member;
    }

    /// <summary>Makes the marks durable.</summary>
    public void CommitMarks()
    {
        lock (_lock)
        {
            foreach (var share in _shares)
                Commit(share);
        }
    }

    private void Commit(Share share)
    {
        if (share.Marked is not { } marked || marked <= (_log.Committed(_name, _topic, share.Partition.Index) ?? -1))
            return;
        _log.Commit(_name, _topic, share.Partition.Index, marked);
    }

    // Under the lock.
    private void Rebalance()
    {
        if (_members.Count == 0)
        {
            // Where a group without commits begins is decided anew when it has members again.
            foreach (var share in _shares.Where(s => _log.Begun(_name, _topic, s.Partition.Index) is not null))
                _log.Begin(_name, _topic, share.Partition.Index, null);
            return;
        }

        var owned = _members.ToDictionary(m => m, m => _shares.Count(s => s.Owner == m && !s.IsMoving));
        var (least, more) = (_shares.Length / _members.Count, _shares.Length % _members.Count);
        var quota = new Dictionary<Member, int>();
        foreach (var member in _members.OrderByDescending(m => owned[m]))
            quota[member] = quota.Count < more ? least + 1 : least;
        foreach (var member in _members.Where(m => owned[m] > quota[m]))
        {
            foreach (var share in _shares.Where(s => s.Owner == member && !s.IsMoving).Reverse().Take(owned[member] - quota[member]))
            {
                share.IsMoving = true;
                member.Revoke(share);
            }

            owned[member] = quota[member];
        }

        foreach (var share in _shares.Where(s => s.Owner is null))
        {
            var member = _members.MaxBy(m => quota[m] - owned[m])!;
            owned[member]++;
            share.Owner = member;
            member.Assign(share, Position(share, member.FromOldest));
        }
    }

    private long Position(Share share, bool fromOldest)
    {
        var partition = share.Partition.Index;
        if ((_log.Committed(_name, _topic, partition) ?? _log.Begun(_name, _topic, partition)) is { } known)
            return known;
        var begin = fromOldest ? share.Partition.Start : share.Partition.End;
        _log.Begin(_name, _topic, partition, begin);
        return begin;
    }

    private void Mark(Member member, Share share, long offset)
    {
        lock (_lock)
        {
            if (share.Owner != member || offset < share.Marked)
                return;
            share.Marked = offset + 1;
        }

        _log.Marked(this);
    }

    private void Release(Member member, Share share, bool leaves)
    {
        lock (_lock)
        {
            if (share.Owner != member)
                return;
            Commit(share);
            share.Owner = null;
            share.IsMoving = false;
            if (leaves)
                _members.Remove(member);
            Rebalance();
        }
    }

    private sealed class Share(LogPartition partition)
    {
        public LogPartition Partition => partition;

        public Member? Owner { get; set; }

        /// <summary>Its owner has been told to end with it.</summary>
        public bool IsMoving { get; set; }

        /// <summary>Offset behind the last message handled; null: none since the start.</summary>
        public long? Marked { get; set; }
    }

    private sealed class Member(ConsumerGroup group, bool fromOldest, LogConsumer consumer) : IAsyncDisposable
    {
        private readonly Dictionary<Share, (CancellationTokenSource Revoked, Task Running)> _running = [];

        public bool FromOldest => fromOldest;

        // Under the group's lock.
        public void Assign(Share share, long position)
        {
            var revoked = new CancellationTokenSource();
            var reader = new Reader(group, this, share, position);
            _running[share] = (revoked, Task.Run(() => RunAsync(share, reader, revoked.Token), CancellationToken.None));
        }

        // Under the group's lock; what waits for the token must not run inside it.
        public void Revoke(Share share) => _ = _running[share].Revoked.CancelAsync();

        public async ValueTask DisposeAsync()
        {
            Task[] running;
            lock (group._lock)
            {
                // First out of the members, so that nothing is given to it any more.
                group._members.Remove(this);
                running = [.. _running.Values.Select(r => r.Running)];
                foreach (var (share, (revoked, _)) in _running)
                {
                    share.IsMoving = true;
                    _ = revoked.CancelAsync();
                }

                if (running.Length == 0)
                    group.Rebalance();
            }

            await Task.WhenAll(running).ConfigureAwait(false);
        }

        private async Task RunAsync(Share share, Reader reader, CancellationToken revoked)
        {
            try
            {
                await consumer(reader, revoked).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // Taken away while it waited for messages.
            }
            finally
            {
                lock (group._lock)
                    _running.Remove(share);
                // A consumer that ends by itself cannot go on: its partitions are for others.
                group.Release(this, share, leaves: !revoked.IsCancellationRequested);
            }
        }
    }

    private sealed class Reader(ConsumerGroup group, Member member, Share share, long position) : ILogReader
    {
        private long _position = position;

        public int Partition => share.Partition.Index;

        public async ValueTask<IReadOnlyList<LogMessage>> ReadAsync(int count, CancellationToken cancellationToken)
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var messages = group._log.Read(share.Partition, _position, count);
                if (messages.Count > 0)
                {
                    _position = messages[^1].Offset + 1;
                    return messages;
                }

                await share.Partition.WhenAvailable(_position).WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        public void Mark(long offset) => group.Mark(member, share, offset);
    }
}
