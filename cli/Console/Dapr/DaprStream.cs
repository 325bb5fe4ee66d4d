using System.Text.Json;
using System.Threading.Channels;
using DaprPlatform.Cli.DeadLetters;
using DaprPlatform.Sidecar.Introspection;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What open pages are told of the runtime: calls and lag, dead letters, instances that change. Everything here runs only while somebody looks.</summary>
internal static class DaprStream
{
    private const int MostChanges = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Gathered = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan BetweenChanges = TimeSpan.FromMilliseconds(700);

    /// <summary>Nothing where the runtime is real Dapr.</summary>
    public static void Start(ConsoleSystem system)
    {
        if (system.Stack.Host.View is not { } view)
            return;
        system.Stream.WhileListened(StreamTopics.Dapr, cancel => CallsAsync(system, view, cancel));
        system.Hub.WhileListened(StreamTopics.Workflows, (ready, cancel) => WorkflowsAsync(system, view, ready, cancel));
        system.Hub.WhileListened(StreamTopics.DeadLetters, (ready, cancel) => DeadLettersAsync(system, view, ready, cancel));
        system.Hub.WhileListened(StreamTopics.Changes, (ready, cancel) => ChangesAsync(system, view, ready, cancel));
    }

    private static async Task CallsAsync(ConsoleSystem system, RuntimeView view, CancellationToken cancel)
    {
        var before = view.Calls.Take();
        while (true)
        {
            await Task.Delay(Interval, system.Time, cancel);
            var now = view.Calls.Take();
            system.Stream.PublishLatest(StreamTopics.Dapr, new DaprFigures(view.Calls.Between(before, now), [.. view.Topics.List().Select(Figures)]));
            before = now;
        }
    }

    private static async Task WorkflowsAsync(ConsoleSystem system, RuntimeView view, Action ready, CancellationToken cancel)
    {
        // Gathered between two tellings; of an instance only how it stands.
        var changes = new Dictionary<(string App, string Id), WorkflowChange>();
        using var changed = new SemaphoreSlim(0, 1);
        using var following = view.Workflows.Follow(change =>
        {
            lock (changes)
            {
                // Of a flood the list shows the newest anyway, which are fetched.
                if (changes.Count < MostChanges || changes.ContainsKey((change.App, change.Id)))
                    changes[(change.App, change.Id)] = change;
                if (changed.CurrentCount == 0)
                    changed.Release();
            }
        });
        ready();
        while (true)
        {
            await changed.WaitAsync(cancel);
            await Task.Delay(Gathered, system.Time, cancel);
            WorkflowChange[] told;
            lock (changes)
            {
                told = [.. changes.Values];
                changes.Clear();
            }

            foreach (var change in told)
                system.Stream.Publish(StreamTopics.Workflows, new ChangedWorkflow(change.App, change.Id, change.Item?.Name, change.Item is { } item ? WorkflowViews.Name(item.Status) : "removed", change.Item?.UpdatedAt));
        }
    }

    // Counted when one came or was dealt with.
    private static async Task DeadLettersAsync(ConsoleSystem system, RuntimeView view, Action ready, CancellationToken cancel)
    {
        if (system.Stack.DeadLetters is not { } box)
            return;
        var gathered = new GatheredChanges();
        using var following = view.Changes.Follow((area, topic) =>
        {
            if (area == RuntimeAreas.Topics && DeadLetterBox.Holds(topic))
                gathered.Add(area, topic);
        });
        Action handled = () => gathered.Add(RuntimeAreas.Topics, "");
        box.Changed += handled;
        try
        {
            ready();
            while (true)
            {
                system.Stream.PublishLatest(StreamTopics.DeadLetters, new DeadLetterCount(box.List(all: false).Count));
                // Counting reads all of them: of many that come at once not each is counted.
                await Task.Delay(Interval, system.Time, cancel);
                await gathered.TakeAsync(cancel);
            }
        }
        finally
        {
            box.Changed -= handled;
        }
    }

    // The first change is told at once, those that follow on its heels together.
    private static async Task ChangesAsync(ConsoleSystem system, RuntimeView view, Action ready, CancellationToken cancel)
    {
        var gathered = new GatheredChanges();
        using var following = view.Changes.Follow((area, name) =>
        {
            if (area != RuntimeAreas.Topics)
                gathered.Add(area, name);
        });
        ready();
        while (true)
        {
            var (areas, stores) = await gathered.TakeAsync(cancel);
            system.Stream.Publish(StreamTopics.Changes, new ChangedLists([.. Named(areas)], stores));
            await Task.Delay(BetweenChanges, system.Time, cancel);
        }
    }

    private static IEnumerable<string> Named(RuntimeAreas areas) =>
        Enum.GetValues<RuntimeAreas>().Where(a => a != RuntimeAreas.None && areas.HasFlag(a)).Select(a => JsonNamingPolicy.CamelCase.ConvertName(a.ToString()));

    private static TopicFigures Figures(TopicView topic) =>
        new(topic.Pubsub, topic.Server, topic.Topic, topic.Messages, topic.Groups.Sum(g => g.Lag), [.. topic.Groups.Select(g => new GroupFigures(g.Group, g.Lag, g.Pending))]);
}

/// <summary>What has changed since it was last taken; bounded by the number of areas and stores.</summary>
internal sealed class GatheredChanges
{
    private readonly Lock _lock = new();
    private readonly SortedSet<string> _stores = new(StringComparer.Ordinal);
    private readonly Channel<bool> _any = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private RuntimeAreas _areas;

    public void Add(RuntimeAreas area, string name)
    {
        lock (_lock)
        {
            _areas |= area;
            if (area == RuntimeAreas.State)
                _stores.Add(name);
        }

        _any.Writer.TryWrite(true);
    }

    /// <summary>Waits for the first change.</summary>
    public async ValueTask<(RuntimeAreas Areas, IReadOnlyList<string> Stores)> TakeAsync(CancellationToken cancel)
    {
        await _any.Reader.ReadAsync(cancel);
        lock (_lock)
        {
            (RuntimeAreas, IReadOnlyList<string>) taken = (_areas, [.. _stores]);
            _areas = RuntimeAreas.None;
            _stores.Clear();
            return taken;
        }
    }
}

internal sealed record DaprFigures(IReadOnlyList<CallRate> Calls, IReadOnlyList<TopicFigures> Topics);

internal sealed record TopicFigures(IReadOnlyList<string> Pubsub, string Server, string Topic, long Messages, long Lag, IReadOnlyList<GroupFigures> Groups);

internal sealed record GroupFigures(string Group, long Lag, int? Pending);

/// <param name="Areas">Whose lists are to be fetched anew: <c>state</c>, <c>locks</c>, <c>settings</c>, <c>actors</c>, <c>jobs</c>, <c>reminders</c>, <c>breakers</c>, <c>sidecars</c>.</param>
/// <param name="Stores">With <c>state</c>: the state stores that were written to.</param>
internal sealed record ChangedLists(IReadOnlyList<string> Areas, IReadOnlyList<string> Stores);

internal sealed record DeadLetterCount(int Count);

/// <param name="Status">As in lists, or <c>removed</c>.</param>
internal sealed record ChangedWorkflow(string App, string Id, string? Name, string Status, DateTimeOffset? UpdatedAt);
