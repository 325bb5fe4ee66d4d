using Dapr.Workflow;

namespace DaprPlatform.Workflows.Tests;

/// <summary>A workflow's world in which each activity answers as told and events and timers happen when the test says so.</summary>
internal sealed class FakeContext : PlainWorkflowContext
{
    private readonly Dictionary<string, Func<object?, Task<object?>>> _activities = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TaskCompletionSource<object?>> _events = new(StringComparer.Ordinal);

    /// <summary>Activities in the order they were called.</summary>
    public List<string> Calls { get; } = [];

    public List<object?> Statuses { get; } = [];

    public Dictionary<string, object?> Inputs { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, WorkflowTaskOptions?> Options { get; } = new(StringComparer.Ordinal);

    public TaskCompletionSource Timer { get; } = new();

    public bool TimerWasCancelled { get; private set; }

    public override string Name => "test";

    public override string InstanceId => "ORD-1";

    public override DateTime CurrentUtcDateTime => new(2025, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    public FakeContext Answer(string activity, object? result)
    {
        _activities[activity] = _ => Task.FromResult(result);
        return this;
    }

    public FakeContext Fail(string activity)
    {
        _activities[activity] = _ => Task.FromException<object?>(
            new WorkflowTaskFailedException("Task failed", new WorkflowTaskFailureDetails("System.Exception", activity + " is broken")));
        return this;
    }

    /// <summary>The activity is called and gives no answer: it is being tried again and again.</summary>
    public FakeContext Hang(string activity)
    {
        _activities[activity] = _ => new TaskCompletionSource<object?>().Task;
        return this;
    }

    /// <summary>Raises the event while the activity runs, which then answers.</summary>
    public FakeContext RaiseDuring(string activity, string eventName, object payload, object? result)
    {
        _activities[activity] = _ =>
        {
            Raise(eventName, payload);
            return Task.FromResult(result);
        };
        return this;
    }

    public void Raise(string eventName, object payload) => Waiter(eventName).TrySetResult(payload);

    public override async Task<T> CallActivityAsync<T>(string name, object? input = null, WorkflowTaskOptions? options = null)
    {
        Calls.Add(name);
        Inputs[name] = input;
        Options[name] = options;
        var result = await (_activities.TryGetValue(name, out var activity) ? activity(input) : Task.FromResult<object?>(new StepResult()));
        return (T)result!;
    }

    public override async Task<T> WaitForExternalEventAsync<T>(string eventName, CancellationToken cancellationToken = default) => (T)(await Waiter(eventName).Task)!;

    public override async Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken)
    {
        cancellationToken.Register(() => TimerWasCancelled = true);
        await Timer.Task.WaitAsync(cancellationToken);
    }

    public override void SetCustomStatus(object? customStatus) => Statuses.Add(customStatus);

    private TaskCompletionSource<object?> Waiter(string eventName)
    {
        if (!_events.TryGetValue(eventName, out var waiter))
            _events[eventName] = waiter = new TaskCompletionSource<object?>();
        return waiter;
    }
}
