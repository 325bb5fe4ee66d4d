using DaprPlatform.Sidecar.Hosting;

namespace DaprPlatform.Sidecar.Introspection;

/// <summary>
/// A look at an engine and its sidecars from outside: what they are made of and what they hold, and a few guarded changes. Nothing here is on the way of a call of
/// an app; what it shows is read when it is asked for. Safe for concurrent use.
/// </summary>
public sealed class RuntimeView
{
    private readonly Func<IReadOnlyCollection<DaprSidecar>> _sidecars;

    /// <param name="engine">Shared by all of the sidecars.</param>
    /// <param name="sidecars">Those that run at the moment, each started; asked for at every look.</param>
    public RuntimeView(Engine engine, Func<IReadOnlyCollection<DaprSidecar>> sidecars)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(sidecars);
        (Engine, _sidecars) = (engine, sidecars);
        Resources = new ResourceViews(this);
        Topics = new TopicViews(this);
        State = new StateBrowser(this);
        Settings = new SettingViews(this);
        Work = new WorkViews(this);
        Policies = new PolicyViews(this);
        Calls = new CallRates(this);
        Counters = new CounterViews(this);
        Workflows = new WorkflowBrowser(this);
    }

    /// <summary>Tells when something shown here has changed.</summary>
    public RuntimeChanges Changes => Engine.Changes;

    /// <summary>Components, configurations and subscriptions.</summary>
    public ResourceViews Resources { get; }

    public TopicViews Topics { get; }

    public StateBrowser State { get; }

    /// <summary>Items of configuration stores.</summary>
    public SettingViews Settings { get; }

    /// <summary>Locks, jobs, reminders and actors.</summary>
    public WorkViews Work { get; }

    /// <summary>Resiliency.</summary>
    public PolicyViews Policies { get; }

    public CallRates Calls { get; }

    public CounterViews Counters { get; }

    public WorkflowBrowser Workflows { get; }

    internal Engine Engine { get; }

    internal IReadOnlyList<SidecarRuntime> Runtimes => [.. _sidecars().Select(s => s.Runtime).OrderBy(r => r.Options.AppId, StringComparer.Ordinal)];

    /// <exception cref="IntrospectionException">No sidecar of the app runs.</exception>
    internal SidecarRuntime RuntimeOf(string appId) =>
        Runtimes.FirstOrDefault(r => r.Options.AppId == appId) ?? throw new IntrospectionException(IntrospectionRefusal.NotFound, $"No sidecar of an app {appId} runs.");
}

/// <summary>Why a look or a change was refused.</summary>
public enum IntrospectionRefusal
{
    NotFound,

    /// <summary>What was asked is malformed.</summary>
    Invalid,

    /// <summary>It is there already, or in a state that does not allow it.</summary>
    Conflict,

    /// <summary>The version that was named is not the one that is there.</summary>
    PreconditionFailed,

    /// <summary>The type of component cannot do it.</summary>
    NotSupported,

    /// <summary>Not at the moment: what it needs does not run, or did not answer in time.</summary>
    Unavailable,
}

/// <summary>A look or a change was refused; the message is for whoever asked.</summary>
public sealed class IntrospectionException(IntrospectionRefusal refusal, string message, Exception? inner = null) : Exception(message, inner)
{
    public IntrospectionRefusal Refusal => refusal;
}

/// <summary>A part of a list, and where the next one begins.</summary>
/// <param name="Next">Null: this is the end.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? Next);
