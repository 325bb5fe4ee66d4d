using DaprPlatform.Sidecar.Introspection;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What open pages are told of the runtime: calls and lag, dead letters, instances that change. Everything here runs only while somebody looks.</summary>
internal static class DaprStream
{
    private const int MostChanges = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Gathered = TimeSpan.FromMilliseconds(400);

    /// <summary>Nothing where the runtime is real Dapr.</summary>
    public static void Start(ConsoleSystem system)
    {
        if (system.Stack.Host.View is not { } view)
            return;
        system.Stream.WhileListened(StreamTopics.Dapr, cancel => CallsAsync(system, view, cancel));
        system.Stream.WhileListened(StreamTopics.Workflows, cancel => WorkflowsAsync(system, view, cancel));
        system.Stream.WhileListened(StreamTopics.DeadLetters, cancel => DeadLettersAsync(system, cancel));
    }

    private static async Task CallsAsync(ConsoleSystem system, RuntimeView view, CancellationToken cancel)
    {
        var before = view.Calls.Take();
        while (true)
        {
            await Task.Delay(Interval, system.Time, cancel);
            var now = view.Calls.Take();
            system.Stream.PublishLatest(StreamTopics.Dapr, new DaprFigures(view.Calls.Between(before, now), [.. view.Topics.Lags().Select(l => new TopicLag(l.Topic, l.Lag))]));
            before = now;
        }
    }

    private static async Task WorkflowsAsync(ConsoleSystem system, RuntimeView view, CancellationToken cancel)
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

    private static async Task DeadLettersAsync(ConsoleSystem system, CancellationToken cancel)
    {
        int? told = null;
        while (true)
        {
            var count = system.Stack.DeadLetters?.List(all: false).Count ?? 0;
            if (count != told)
                system.Stream.PublishLatest(StreamTopics.DeadLetters, new DeadLetterCount(count));
            told = count;
            await Task.Delay(Interval, system.Time, cancel);
        }
    }
}

internal sealed record DaprFigures(IReadOnlyList<CallRate> Calls, IReadOnlyList<TopicLag> Topics);

internal sealed record TopicLag(string Topic, long Lag);

internal sealed record DeadLetterCount(int Count);

/// <param name="Status">As in lists, or <c>removed</c>.</param>
internal sealed record ChangedWorkflow(string App, string Id, string? Name, string Status, DateTimeOffset? UpdatedAt);
