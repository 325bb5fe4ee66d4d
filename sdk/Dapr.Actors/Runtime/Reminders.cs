namespace Dapr.Actors.Runtime;

/// <summary>An actor with reminders.</summary>
public interface IRemindable
{
    /// <param name="reminderName">Of the reminder that is due.</param>
    /// <param name="state">What it was registered with.</param>
    /// <param name="dueTime">As the sidecar tells it; -1 ms if it does not.</param>
    /// <param name="period">As the sidecar tells it; -1 ms if it does not.</param>
    Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period);
}

public interface IActorReminder
{
    string Name { get; }

    /// <summary>Until the first call.</summary>
    TimeSpan DueTime { get; }

    byte[] State { get; }

    /// <summary>Between the calls; -1 ms: there is only one.</summary>
    TimeSpan Period { get; }
}

/// <summary>Names a reminder.</summary>
public class ActorReminderToken
{
    public ActorReminderToken(string actorType, ActorId actorId, string name)
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

/// <summary>Calls to come, which survive the process.</summary>
public sealed class ActorReminder : ActorReminderToken, IActorReminder
{
    public ActorReminder(string actorType, ActorId actorId, string name, byte[]? state, TimeSpan dueTime, TimeSpan period)
        : this(actorType, actorId, name, state, dueTime, period, null, null)
    {
    }

    public ActorReminder(string actorType, ActorId actorId, string name, byte[]? state, TimeSpan dueTime, TimeSpan period, TimeSpan ttl)
        : this(actorType, actorId, name, state, dueTime, period, null, ttl)
    {
    }

    public ActorReminder(string actorType, ActorId actorId, string name, byte[]? state, TimeSpan dueTime, TimeSpan period, int repetitions)
        : this(actorType, actorId, name, state, dueTime, period, repetitions, null)
    {
    }

    public ActorReminder(string actorType, ActorId actorId, string name, byte[]? state, TimeSpan dueTime, TimeSpan period, int repetitions, TimeSpan ttl)
        : this(actorType, actorId, name, state, dueTime, period, (int?)repetitions, ttl)
    {
    }

    internal ActorReminder(string actorType, ActorId actorId, string name, byte[]? state, TimeSpan dueTime, TimeSpan period, int? repetitions, TimeSpan? ttl)
        : base(actorType, actorId, name)
    {
        if (dueTime < TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(dueTime), dueTime, "A reminder cannot be due before now.");
        if (period < Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(period), period, "The period of a reminder must be positive, or -1 ms for none.");
        if (ttl < TimeSpan.Zero || ttl < dueTime)
            throw new ArgumentOutOfRangeException(nameof(ttl), ttl, "A reminder cannot expire before it is due.");
        if (repetitions <= 0)
            throw new ArgumentOutOfRangeException(nameof(repetitions), repetitions, "A reminder must call at least once.");
        State = state ?? [];
        DueTime = dueTime;
        Period = period;
        Repetitions = repetitions;
        Ttl = ttl;
    }

    public byte[] State { get; }

    public TimeSpan DueTime { get; }

    public TimeSpan Period { get; }

    /// <summary>Calls in all; null: no limit.</summary>
    public int? Repetitions { get; }

    public TimeSpan? Ttl { get; }
}
