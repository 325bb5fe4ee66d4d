using System.Collections.Concurrent;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Scheduling;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>
/// Timers of the actors of one sidecar. They are in memory: they outlive a deactivation (a tick activates the actor again), not the sidecar, and not a move of the
/// actor. A tick takes a turn like a call; a failed one is not repeated; the next is due a period after the last was.
/// </summary>
internal sealed partial class ActorTimers : IDisposable
{
    private readonly ConcurrentDictionary<(string Type, string Id, string Name), ActorTimer> _timers = new();
    private readonly TimerQueue<ActorTimer> _queue;
    private readonly TimeProvider _time;
    private readonly Func<string, string, ActorTick, CancellationToken, ValueTask> _fire;
    private readonly ActorMetrics _metrics;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _ended = new();

    /// <param name="fire">Tells the actor; throws <see cref="ActorMovedException"/> where it is not here.</param>
    public ActorTimers(TimeProvider time, Func<string, string, ActorTick, CancellationToken, ValueTask> fire, ActorMetrics metrics, ILogger logger)
    {
        _time = time;
        _fire = fire;
        _metrics = metrics;
        _logger = logger;
        _queue = new TimerQueue<ActorTimer>(time, timer => _ = Task.Run(() => FireAsync(timer)));
    }

    /// <summary>Starts a timer; one of the same name is replaced.</summary>
    /// <exception cref="FormatException">A time has none of the forms it may have.</exception>
    public void Start(string type, string id, ActorTick tick, string ttl)
    {
        var schedule = TimerSchedule.Parse($"{type}||{id}||{tick.Name}", tick.DueTime, tick.Period, ttl, _time.GetUtcNow());
        var timer = new ActorTimer(type, id, tick, schedule);
        var isNew = true;
        _timers.AddOrUpdate(timer.Key, timer, (_, _) =>
        {
            isNew = false;
            return timer;
        });
        if (isNew)
            _metrics.Timers(type, 1);
        _queue.Add(timer, timer.Due);
    }

    public void Stop(string type, string id, string name)
    {
        if (_timers.TryRemove((type, id, name), out _))
            _metrics.Timers(type, -1);
    }

    public void Dispose()
    {
        _ended.Cancel();
        _queue.Dispose();
        _timers.Clear();
        _ended.Dispose();
    }

    private async Task FireAsync(ActorTimer timer)
    {
        if (!IsCurrent(timer))
            return;
        try
        {
            await _fire(timer.Type, timer.Id, timer.Tick, _ended.Token).ConfigureAwait(false);
        }
        catch (ActorMovedException)
        {
            Remove(timer);
            return;
        }
        catch (Exception e) when (e is ActorCallException or ApiException)
        {
            LogFailed(timer.Type, timer.Id, timer.Tick.Name, e.Message);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            return;
        }

        if (!IsCurrent(timer))
            return;
        if (timer.Advance(_time.GetUtcNow()))
            _queue.Add(timer, timer.Due);
        else
            Remove(timer);
    }

    private bool IsCurrent(ActorTimer timer) => _timers.TryGetValue(timer.Key, out var current) && ReferenceEquals(current, timer);

    private void Remove(ActorTimer timer)
    {
        if (_timers.TryRemove(KeyValuePair.Create(timer.Key, timer)))
            _metrics.Timers(timer.Type, -1);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "error invoking timer on actor {Type}||{Id}||{Name}: {Reason}")]
    private partial void LogFailed(string type, string id, string name, string reason);

    private sealed class ActorTimer(string type, string id, ActorTick tick, TimerSchedule schedule)
    {
        private int _left = schedule.Ticks;

        public string Type => type;

        public string Id => id;

        public ActorTick Tick => tick;

        public (string, string, string) Key => (type, id, tick.Name);

        public DateTimeOffset Due { get; private set; } = schedule.Due;

        /// <summary>A tick is over. False: it was the last one.</summary>
        public bool Advance(DateTimeOffset now)
        {
            if (schedule.Period is not { } period || (_left > 0 && --_left == 0))
                return false;
            // Ticks that a slow app has missed are not made up for.
            var next = period.AddTo(Due);
            Due = next < now ? now : next;
            return schedule.Expires is not { } end || Due <= end;
        }
    }
}
