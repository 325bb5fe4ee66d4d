namespace DaprPlatform.Sidecar.Introspection;

/// <summary>What of a runtime may look different from before.</summary>
[Flags]
public enum RuntimeAreas
{
    None = 0,

    /// <summary>Values of apps in a state store.</summary>
    State = 1,

    Locks = 2,

    /// <summary>Items of configuration stores.</summary>
    Settings = 4,

    /// <summary>Actor types and which actors are active.</summary>
    Actors = 8,

    /// <summary>Jobs of apps.</summary>
    Jobs = 16,

    /// <summary>Reminders of actors.</summary>
    Reminders = 32,

    /// <summary>Circuit breakers.</summary>
    Breakers = 64,

    /// <summary>A topic has a message more.</summary>
    Topics = 128,

    /// <summary>Which sidecars run, their components and subscriptions.</summary>
    Sidecars = 256,
}

/// <summary>
/// Tells whoever looks that something has changed, so that nobody needs to look in a loop. What passes with time alone (a lock or a value that expires, a breaker
/// that may be tried again) is not told: its time is known. Costs a read of a field where nobody follows.
/// </summary>
public sealed class RuntimeChanges
{
    private Action<RuntimeAreas, string>? _followers;

    /// <summary>Calls with the area and, for state and topics, the name of the store or the topic, else an empty one; on the thread that made the change: what is called must not block.</summary>
    /// <returns>Ends it.</returns>
    public IDisposable Follow(Action<RuntimeAreas, string> changed)
    {
        ArgumentNullException.ThrowIfNull(changed);
        Change(followers => followers + changed);
        return new Following(this, changed);
    }

    /// <summary>For those who change something, behind the change.</summary>
    public void Tell(RuntimeAreas area, string name = "") => Volatile.Read(ref _followers)?.Invoke(area, name);

    private void Change(Func<Action<RuntimeAreas, string>?, Action<RuntimeAreas, string>?> change)
    {
        while (true)
        {
            var before = Volatile.Read(ref _followers);
            if (Interlocked.CompareExchange(ref _followers, change(before), before) == before)
                return;
        }
    }

    private sealed class Following(RuntimeChanges changes, Action<RuntimeAreas, string> changed) : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
                changes.Change(followers => followers - changed);
        }
    }
}
