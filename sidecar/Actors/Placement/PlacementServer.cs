using System.Collections.Concurrent;
using System.Threading.Channels;

namespace DaprPlatform.Sidecar.Actors.Placement;

/// <summary>The placement service of one address, in this process. Tables of different namespaces have nothing to do with each other. Keeps nothing: its members say what they host.</summary>
internal sealed class PlacementServer(TimeProvider time) : IPlacement, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<PlacementGroup>> _groups = new(StringComparer.Ordinal);

    public ValueTask<IPlacementMembership> JoinAsync(string @namespace, ActorHost host, IPlacementListener listener, CancellationToken cancellationToken) =>
        JoinAsync(@namespace, host, listener, again: false, cancellationToken);

    /// <param name="again">It was a member of a server that has ended; the others may come back too, so that the first table waits for them.</param>
    public async ValueTask<IPlacementMembership> JoinAsync(string @namespace, ActorHost host, IPlacementListener listener, bool again, CancellationToken cancellationToken)
    {
        var group = _groups.GetOrAdd(@namespace, _ => new Lazy<PlacementGroup>(() => new PlacementGroup(time))).Value;
        return await group.JoinAsync(host, listener, again).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var group in _groups.Values)
            await group.Value.DisposeAsync().ConfigureAwait(false);
    }
}

/// <summary>The members of one namespace and their table. Changes are made one after another; those that wait go into one table together.</summary>
internal sealed class PlacementGroup : IAsyncDisposable
{
    private static readonly TimeSpan PrepareLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ReturnLimit = TimeSpan.FromSeconds(1);
    private readonly Channel<Change> _changes = Channel.CreateUnbounded<Change>(new UnboundedChannelOptions { SingleReader = true });
    private readonly List<Member> _members = [];
    private readonly TimeProvider _time;
    private readonly Task _running;
    private PlacementTable _table = PlacementTable.Empty;
    private DateTimeOffset _wait = DateTimeOffset.MinValue;

    public PlacementGroup(TimeProvider time)
    {
        _time = time;
        _running = Task.Run(RunAsync);
    }

    public async Task<IPlacementMembership> JoinAsync(ActorHost host, IPlacementListener listener, bool again)
    {
        var member = new Member(this, host, listener);
        var joined = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Add(new Change(() =>
        {
            if (again && _table.Version == 0 && _wait == DateTimeOffset.MinValue)
                _wait = _time.GetUtcNow() + ReturnLimit;
            _members.Add(member);
            listener.Commit(_table);
            joined.TrySetResult();
            return host.Types.Count > 0;
        }));
        await joined.Task.ConfigureAwait(false);
        return member;
    }

    public async ValueTask DisposeAsync()
    {
        _changes.Writer.TryComplete();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Add(Change change)
    {
        if (!_changes.Writer.TryWrite(change))
            change.Done?.TrySetException(new ObjectDisposedException(nameof(PlacementServer)));
    }

    private async Task RunAsync()
    {
        var waiting = new List<TaskCompletionSource>();
        var reader = _changes.Reader;
        while (await reader.WaitToReadAsync().ConfigureAwait(false))
        {
            var changed = Apply(waiting);
            if (changed && _wait - _time.GetUtcNow() is { Ticks: > 0 } pause)
            {
                await Task.Delay(pause, _time).ConfigureAwait(false);
                Apply(waiting);
            }

            if (changed)
                await DisseminateAsync().ConfigureAwait(false);
            foreach (var done in waiting)
                done.TrySetResult();
            waiting.Clear();
        }
    }

    private bool Apply(List<TaskCompletionSource> waiting)
    {
        var changed = false;
        while (_changes.Reader.TryRead(out var change))
        {
            changed |= change.Make();
            if (change.Done is { } done)
                waiting.Add(done);
        }

        return changed;
    }

    private async Task DisseminateAsync()
    {
        var next = new PlacementTable(_table.Version + 1, [.. _members.Select(m => m.Host).Where(h => h.Types.Count > 0)]);
        await Task.WhenAll(_members.Select(m => PrepareAsync(m, next))).ConfigureAwait(false);
        _table = next;
        foreach (var member in _members)
            member.Listener.Commit(next);
    }

    // Who does not answer in time cannot keep the others from going on.
    private async Task PrepareAsync(Member member, PlacementTable next)
    {
        try
        {
            await member.Listener.PrepareAsync(next).WaitAsync(PrepareLimit, _time).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException or ObjectDisposedException)
        {
            // It has left or hangs; the table does without its word.
        }
    }

    /// <param name="Make">True when the table has to be made anew.</param>
    /// <param name="Done">Completes when the table with the change is in force.</param>
    private sealed record Change(Func<bool> Make, TaskCompletionSource? Done = null);

    private sealed class Member(PlacementGroup group, ActorHost host, IPlacementListener listener) : IPlacementMembership
    {
        public ActorHost Host { get; private set; } = host;

        public IPlacementListener Listener => listener;

        public Task ReportAsync(IReadOnlyList<string> types, CancellationToken cancellationToken)
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            group.Add(new Change(() =>
            {
                if (Host.Types.SequenceEqual(types, StringComparer.Ordinal))
                    return false;
                Host = Host with { Types = types };
                return group._members.Contains(this);
            }, done));
            return done.Task.WaitAsync(cancellationToken);
        }

        public ValueTask DisposeAsync()
        {
            group.Add(new Change(() => group._members.Remove(this) && Host.Types.Count > 0));
            return ValueTask.CompletedTask;
        }
    }
}
