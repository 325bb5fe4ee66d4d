namespace Dapr.Actors.Runtime;

/// <summary>Names a timer.</summary>
public class ActorTimerToken
{
    public ActorTimerToken(string actorType, ActorId actorId, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(actorType);
        ArgumentNullException.ThrowIfNull(actorId);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ActorType = actorType;
        ActorId = actorId;
        Name = name;
    }

    public string ActorType { get; }

    public ActorId ActorId { get; }

    public string Name { get; }
}

/// <summary>Calls to come, which are lost with the sidecar.</summary>
public sealed class ActorTimer : ActorTimerToken
{
    public ActorTimer(string actorType, ActorId actorId, string name, string timerCallback, byte[]? data, TimeSpan dueTime, TimeSpan period)
        : this(actorType, actorId, name, timerCallback, data, dueTime, period, null)
    {
    }

    public ActorTimer(string actorType, ActorId actorId, string name, string timerCallback, byte[]? data, TimeSpan dueTime, TimeSpan period, TimeSpan ttl)
        : this(actorType, actorId, name, timerCallback, data, dueTime, period, (TimeSpan?)ttl)
    {
    }

    private ActorTimer(string actorType, ActorId actorId, string name, string timerCallback, byte[]? data, TimeSpan dueTime, TimeSpan period, TimeSpan? ttl)
        : base(actorType, actorId, name)
    {
        if (dueTime < TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(dueTime), dueTime, "A timer cannot be due before now.");
        if (period < Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(period), period, "The period of a timer must be positive, or -1 ms for none.");
        if (ttl < TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(ttl), ttl, "A timer cannot expire before now.");
        TimerCallback = timerCallback;
        Data = data;
        DueTime = dueTime;
        Period = period;
        Ttl = ttl;
    }

    /// <summary>Name of the actor's method.</summary>
    public string TimerCallback { get; }

    public byte[]? Data { get; }

    public TimeSpan DueTime { get; }

    /// <summary>-1 ms: there is only one call.</summary>
    public TimeSpan Period { get; }

    public TimeSpan? Ttl { get; }
}

/// <summary>Registers timers and reminders.</summary>
public abstract class ActorTimerManager
{
    public abstract Task RegisterReminderAsync(ActorReminder reminder);

    /// <returns>Null if there is no such reminder.</returns>
    public abstract Task<IActorReminder?> GetReminderAsync(ActorReminderToken reminder);

    public abstract Task UnregisterReminderAsync(ActorReminderToken reminder);

    public abstract Task RegisterTimerAsync(ActorTimer timer);

    public abstract Task UnregisterTimerAsync(ActorTimerToken timer);
}
