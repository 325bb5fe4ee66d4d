using System.Collections.Concurrent;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Invocation;
using DaprPlatform.Sidecar.Observability;

namespace DaprPlatform.Sidecar.Actors.Tests;

internal static class Calls
{
    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static ActorMetrics Metrics => new(new MetricsRegistry("test", enabled: false));

    public static ActorCall To(string id, string method = "do") =>
        new("Cart", id, method, "", [], default) { Caller = new Caller("test", "default") };
}

/// <summary>An app that does what a test tells it to: every request is an event, and waits for the test where it is held.</summary>
internal sealed class FakeApp : IActorApp
{
    private readonly Channel<string> _events = Channel.CreateUnbounded<string>();

    /// <summary>Calls of these methods wait until their source is completed.</summary>
    public ConcurrentDictionary<string, TaskCompletionSource> Held { get; } = new();

    public bool RefusesDeactivation { get; set; }

    public TaskCompletionSource Hold(string method) => Held[method] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The next thing that reached the app.</summary>
    public async Task<string> NextAsync() => await _events.Reader.ReadAsync(Calls.Cancelled);

    public bool TryNext(out string? what) => _events.Reader.TryRead(out what);

    public async ValueTask<ActorAnswer> InvokeAsync(ActorCall call, string? reentrancyId, CancellationToken cancellationToken)
    {
        _events.Writer.TryWrite($"{call.Method} {call.Id}");
        if (Held.TryGetValue(call.Method, out var held))
            await held.Task.WaitAsync(cancellationToken);
        return new ActorAnswer([], default);
    }

    public ValueTask RemindAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken)
    {
        _events.Writer.TryWrite($"reminder {tick.Name} {id}");
        return ValueTask.CompletedTask;
    }

    public ValueTask TimerAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken)
    {
        _events.Writer.TryWrite($"timer {tick.Name} {id}");
        return ValueTask.CompletedTask;
    }

    public ValueTask DeactivateAsync(string type, string id, CancellationToken cancellationToken)
    {
        _events.Writer.TryWrite($"deactivate {id}");
        return RefusesDeactivation ? throw new ActorCallException("error from actor service: (500) no") : ValueTask.CompletedTask;
    }
}
