using System.Reflection;
using Dapr.Actors.Client;
using Microsoft.Extensions.Logging;

namespace Dapr.Actors.Runtime;

/// <summary>
/// Base of actors. The sidecar lets one call at a time into an actor; what the call changed in <see cref="StateManager"/> is saved when it ends well and
/// forgotten when it throws.
/// </summary>
public abstract class Actor
{
    private ILogger? _logger;

    protected Actor(ActorHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        Host = host;
        StateManager = new ActorStateManager(host);
    }

    public ActorId Id => Host.Id;

    public ActorHost Host { get; }

    public IActorProxyFactory ProxyFactory => Host.ProxyFactory;

    public IActorStateManager StateManager { get; protected set; }

    protected ILogger Logger => _logger ??= Host.LoggerFactory.CreateLogger(GetType());

    internal async Task ActivateAsync()
    {
        await OnActivateAsync();
        await SaveStateAsync();
    }

    internal Task DeactivateAsync() => OnDeactivateAsync();

    internal Task BeforeMethodAsync(ActorMethodContext context) => OnPreActorMethodAsync(context);

    internal async Task AfterMethodAsync(ActorMethodContext context)
    {
        await OnPostActorMethodAsync(context);
        await SaveStateAsync();
    }

    internal async Task MethodFailedAsync(ActorMethodContext context, Exception failure)
    {
        // A half-done call must leave nothing behind for the next one to save.
        await StateManager.ClearCacheAsync();
        await OnActorMethodFailedAsync(context, failure);
    }

    protected Task SaveStateAsync() => StateManager.SaveStateAsync();

    /// <summary>Before the first call. State that is set here is saved.</summary>
    protected virtual Task OnActivateAsync() => Task.CompletedTask;

    /// <summary>Before the actor is forgotten. Not called when the process dies.</summary>
    protected virtual Task OnDeactivateAsync() => Task.CompletedTask;

    protected virtual Task OnPreActorMethodAsync(ActorMethodContext actorMethodContext) => Task.CompletedTask;

    /// <summary>After a call that did not throw, before its state is saved.</summary>
    protected virtual Task OnPostActorMethodAsync(ActorMethodContext actorMethodContext) => Task.CompletedTask;

    protected virtual Task OnActorMethodFailedAsync(ActorMethodContext actorMethodContext, Exception e) => Task.CompletedTask;

    /// <summary>A call to come, which survives the process. The actor must be <see cref="IRemindable"/>.</summary>
    /// <param name="reminderName">A reminder of the same name is replaced.</param>
    /// <param name="state">Given back with each call; null: none.</param>
    /// <param name="dueTime">Until the first call.</param>
    /// <param name="period">Between the calls; -1 ms: there is only one.</param>
    protected Task<IActorReminder> RegisterReminderAsync(string reminderName, byte[]? state, TimeSpan dueTime, TimeSpan period) =>
        RegisterReminderAsync(new ActorReminder(TypeName, Id, reminderName, state, dueTime, period));

    /// <inheritdoc cref="RegisterReminderAsync(string, byte[], TimeSpan, TimeSpan)"/>
    /// <param name="reminderName">A reminder of the same name is replaced.</param>
    /// <param name="state">Given back with each call; null: none.</param>
    /// <param name="dueTime">Until the first call.</param>
    /// <param name="period">Between the calls; -1 ms: there is only one.</param>
    /// <param name="ttl">After which there are no calls any more.</param>
    protected Task<IActorReminder> RegisterReminderAsync(string reminderName, byte[]? state, TimeSpan dueTime, TimeSpan period, TimeSpan ttl) =>
        RegisterReminderAsync(new ActorReminder(TypeName, Id, reminderName, state, dueTime, period, ttl));

    /// <inheritdoc cref="RegisterReminderAsync(string, byte[], TimeSpan, TimeSpan)"/>
    /// <param name="reminderName">A reminder of the same name is replaced.</param>
    /// <param name="state">Given back with each call; null: none.</param>
    /// <param name="dueTime">Until the first call.</param>
    /// <param name="period">Between the calls, in whole seconds.</param>
    /// <param name="repetitions">Calls in all.</param>
    protected Task<IActorReminder> RegisterReminderAsync(string reminderName, byte[]? state, TimeSpan dueTime, TimeSpan period, int repetitions) =>
        RegisterReminderAsync(new ActorReminder(TypeName, Id, reminderName, state, dueTime, period, repetitions));

    /// <inheritdoc cref="RegisterReminderAsync(string, byte[], TimeSpan, TimeSpan)"/>
    /// <param name="reminderName">A reminder of the same name is replaced.</param>
    /// <param name="state">Given back with each call; null: none.</param>
    /// <param name="dueTime">Until the first call.</param>
    /// <param name="period">Between the calls, in whole seconds.</param>
    /// <param name="repetitions">Calls in all.</param>
    /// <param name="ttl">After which there are no calls any more.</param>
    protected Task<IActorReminder> RegisterReminderAsync(string reminderName, byte[]? state, TimeSpan dueTime, TimeSpan period, int repetitions, TimeSpan ttl) =>
        RegisterReminderAsync(new ActorReminder(TypeName, Id, reminderName, state, dueTime, period, repetitions, ttl));

    /// <returns>Null if there is none of that name.</returns>
    protected Task<IActorReminder?> GetReminderAsync(string reminderName) =>
        Host.TimerManager.GetReminderAsync(new ActorReminderToken(TypeName, Id, reminderName));

    protected Task UnregisterReminderAsync(IActorReminder reminder)
    {
        ArgumentNullException.ThrowIfNull(reminder);
        return UnregisterReminderAsync(reminder.Name);
    }

    protected Task UnregisterReminderAsync(string reminderName) =>
        Host.TimerManager.UnregisterReminderAsync(new ActorReminderToken(TypeName, Id, reminderName));

    /// <summary>A call to come, which is lost with the sidecar.</summary>
    /// <param name="timerName">A timer of the same name is replaced.</param>
    /// <param name="callback">Method of the actor that returns a task and takes nothing or a <see cref="T:byte[]"/>.</param>
    /// <param name="callbackParams">Given to the method; null: nothing.</param>
    /// <param name="dueTime">Until the first call.</param>
    /// <param name="period">Between the calls; negative: there is only one.</param>
    /// <exception cref="ArgumentException">There is no such method.</exception>
    public Task<ActorTimer> RegisterTimerAsync(string timerName, string callback, byte[]? callbackParams, TimeSpan dueTime, TimeSpan period) =>
        RegisterTimerAsync(new ActorTimer(TypeName, Id, NameOf(timerName), callback, callbackParams, dueTime, period));

    /// <inheritdoc cref="RegisterTimerAsync(string, string, byte[], TimeSpan, TimeSpan)"/>
    /// <param name="timerName">A timer of the same name is replaced.</param>
    /// <param name="callback">Method of the actor that returns a task and takes nothing or a <see cref="T:byte[]"/>.</param>
    /// <param name="callbackParams">Given to the method; null: nothing.</param>
    /// <param name="dueTime">Until the first call.</param>
    /// <param name="period">Between the calls; negative: there is only one.</param>
    /// <param name="ttl">After which there are no calls any more.</param>
    public Task<ActorTimer> RegisterTimerAsync(string timerName, string callback, byte[]? callbackParams, TimeSpan dueTime, TimeSpan period, TimeSpan ttl) =>
        RegisterTimerAsync(new ActorTimer(TypeName, Id, NameOf(timerName), callback, callbackParams, dueTime, period, ttl));

    protected Task UnregisterTimerAsync(ActorTimer timer)
    {
        ArgumentNullException.ThrowIfNull(timer);
        return Host.TimerManager.UnregisterTimerAsync(timer);
    }

    protected Task UnregisterTimerAsync(string timerName) => Host.TimerManager.UnregisterTimerAsync(new ActorTimerToken(TypeName, Id, timerName));

    internal static MethodInfo TimerCallback(Type actorType, string callback)
    {
        ArgumentException.ThrowIfNullOrEmpty(callback);
        MethodInfo? found = null;
        for (var type = actorType; type is not null && type != typeof(Actor); type = type.BaseType)
        {
            var here = type.GetMember(callback, MemberTypes.Method, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);
            if (here.Length > 1)
                throw new ArgumentException($"Timer callback '{callback}' of actor '{actorType}' is overloaded.", nameof(callback));
            found ??= here.Length == 1 ? (MethodInfo)here[0] : null;
        }

        if (found is null)
            throw new ArgumentException($"Actor '{actorType}' has no method '{callback}' for its timer.", nameof(callback));
        if (found.ReturnType != typeof(Task))
            throw new ArgumentException($"Timer callback '{callback}' of actor '{actorType}' must return Task.", nameof(callback));
        var parameters = found.GetParameters();
        if (parameters.Length > 1 || parameters.Length == 1 && parameters[0].ParameterType != typeof(byte[]))
            throw new ArgumentException($"Timer callback '{callback}' of actor '{actorType}' must take nothing or a byte array.", nameof(callback));
        return found;
    }

    private string TypeName => Host.ActorTypeInfo.ActorTypeName;

    private static string NameOf(string? timerName) => string.IsNullOrEmpty(timerName) ? Guid.NewGuid().ToString() : timerName;

    private async Task<IActorReminder> RegisterReminderAsync(ActorReminder reminder)
    {
        if (this is not IRemindable)
            throw new InvalidOperationException($"Actor '{TypeName}' registers a reminder but is not {nameof(IRemindable)}.");
        await Host.TimerManager.RegisterReminderAsync(reminder);
        return reminder;
    }

    private async Task<ActorTimer> RegisterTimerAsync(ActorTimer timer)
    {
        TimerCallback(GetType(), timer.TimerCallback);
        await Host.TimerManager.RegisterTimerAsync(timer);
        return timer;
    }
}
