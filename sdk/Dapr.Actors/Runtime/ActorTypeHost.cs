using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using Dapr.Actors.Communication;

namespace Dapr.Actors.Runtime;

/// <summary>The answer to a call.</summary>
/// <param name="Body">Empty if there is no result.</param>
/// <param name="ErrorHeader">Set if the method threw and the caller can be told.</param>
internal readonly record struct CallResult(byte[] Body, string? ErrorHeader = null);

/// <summary>All actors of one type that are active here. The sidecar sends one call at a time to each; reentrant ones come while the first is under way.</summary>
internal sealed class ActorTypeHost
{
    private readonly ActorRegistration _registration;
    private readonly ActorRuntimeOptions _options;
    private readonly Func<ActorId, ActorHost> _createHost;
    private readonly ActorActivator _activator;
    private readonly FrozenDictionary<string, RemoteMethod[]> _methods;
    private readonly ConcurrentDictionary<string, MethodInvoker> _timerCallbacks = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<ActorId, Lazy<Task<ActorActivatorState>>> _active = new();

    public ActorTypeHost(ActorRegistration registration, ActorRuntimeOptions options, ActorActivator activator, Func<ActorId, ActorHost> createHost)
    {
        _registration = registration;
        _options = options;
        _createHost = createHost;
        _activator = registration.Activator ?? activator;
        _methods = registration.Type.InterfaceTypes
            .SelectMany(type => RemoteInterface.Of(type).Methods)
            .DistinctBy(method => method.Method)
            .GroupBy(method => method.Name, StringComparer.Ordinal)
            .ToFrozenDictionary(group => group.Key, group => group.ToArray(), StringComparer.Ordinal);
    }

    /// <summary>A call by name with JSON. What the method throws goes through.</summary>
    public Task<CallResult> CallAsync(ActorId id, string methodName, byte[] body, CancellationToken cancellationToken)
    {
        var method = Find(methodName, null);
        if (method.Parameters.Length > 1)
            throw new InvalidOperationException($"Method '{methodName}' of actor '{TypeName}' takes more than one argument and can only be called through its interface.");
        return RunAsync(id, ActorMethodContext.CreateForActor(methodName), async actor =>
        {
            var arguments = new object?[method.Parameters.Length + (method.TakesCancellation ? 1 : 0)];
            if (method.TakesCancellation)
                arguments[^1] = cancellationToken;
            if (method.Parameters is [var parameter])
                arguments[0] = ReadArgument(body, parameter.ParameterType);
            var result = await method.InvokeAsync(actor, arguments);
            return new CallResult(method.ResultType is { } type ? JsonSerializer.SerializeToUtf8Bytes(result, type, _options.JsonSerializerOptions) : []);
        });
    }

    /// <summary>A call through an interface. What the method throws is in the answer.</summary>
    public async Task<CallResult> CallRemoteAsync(ActorId id, string methodName, string header, byte[] body, CancellationToken cancellationToken)
    {
        try
        {
            var method = Find(methodName, header);
            return await RunAsync(id, ActorMethodContext.CreateForActor(methodName), async actor =>
            {
                var json = body.Length == 0 ? _options.UseJsonSerialization : RemoteBody.IsJson(body);
                var arguments = RemoteBody.ReadArguments(method, body, _options.JsonSerializerOptions, cancellationToken);
                var result = await method.InvokeAsync(actor, arguments);
                return new CallResult(RemoteBody.WriteResult(method, result, json, _options.JsonSerializerOptions));
            });
        }
        catch (Exception failure)
        {
            return new CallResult(RemoteException.Write(failure), RemoteHeaders.WriteError(RemoteException.Describe(failure, Guid.NewGuid())));
        }
    }

    public async Task RemindAsync(ActorId id, string reminderName, byte[] body)
    {
        if (!_registration.Type.IsRemindable)
            return;
        var tick = TickBody.Read(body);
        await RunAsync(id, ActorMethodContext.CreateForReminder(reminderName), async actor =>
        {
            await ((IRemindable)actor).ReceiveReminderAsync(reminderName, tick.Bytes ?? [], tick.DueTime, tick.Period);
            return default;
        });
    }

    public async Task FireTimerAsync(ActorId id, string timerName, byte[] body)
    {
        var tick = TickBody.Read(body);
        var callback = tick.Callback ?? throw new InvalidOperationException($"Timer '{timerName}' of actor '{TypeName}' names no method to call.");
        await RunAsync(id, ActorMethodContext.CreateForTimer(callback), async actor =>
        {
            // By the actor's own class: an activator may make a derived one.
            var method = Actor.TimerCallback(actor.GetType(), callback);
            var invoker = _timerCallbacks.GetOrAdd(callback, static (_, method) => MethodInvoker.Create(method), method);
            await (Task)(method.GetParameters().Length == 0 ? invoker.Invoke(actor) : invoker.Invoke(actor, tick.Bytes))!;
            return default;
        });
    }

    public async Task DeactivateAsync(ActorId id)
    {
        if (!_active.TryRemove(id, out var activation))
            return;
        ActorActivatorState state;
        try
        {
            state = await activation.Value;
        }
        catch (Exception)
        {
            // Told to those who called it.
            return;
        }

        try
        {
            await state.Actor.DeactivateAsync();
        }
        finally
        {
            await _activator.DeleteAsync(state);
        }
    }

    private string TypeName => _registration.Type.ActorTypeName;

    private async Task<CallResult> RunAsync(ActorId id, ActorMethodContext context, Func<Actor, Task<CallResult>> call)
    {
        var actor = await ActivateAsync(id);
        if (Reentrancy.Current is not null)
            (actor.StateManager as ActorStateManager)?.BeginReentrantCall();
        try
        {
            await actor.BeforeMethodAsync(context);
            var result = await call(actor);
            await actor.AfterMethodAsync(context);
            return result;
        }
        catch (Exception failure)
        {
            await actor.MethodFailedAsync(context, failure);
            throw;
        }
    }

    private async Task<Actor> ActivateAsync(ActorId id)
    {
        var activation = _active.GetOrAdd(id, static (id, host) => new(() => host.CreateAsync(id)), this);
        try
        {
            return (await activation.Value).Actor;
        }
        catch (Exception)
        {
            // The next call tries again.
            _active.TryRemove(new(id, activation));
            throw;
        }
    }

    private async Task<ActorActivatorState> CreateAsync(ActorId id)
    {
        var state = await _activator.CreateAsync(_createHost(id));
        try
        {
            await state.Actor.ActivateAsync();
            return state;
        }
        catch
        {
            await _activator.DeleteAsync(state);
            throw;
        }
    }

    private RemoteMethod Find(string name, string? header)
    {
        if (!_methods.TryGetValue(name, out var methods))
            ThrowMissing(name);
        if (methods.Length == 1)
            return methods[0];
        var interfaceId = header is null ? null : RemoteHeaders.ReadInterfaceId(header);
        return methods.FirstOrDefault(method => method.InterfaceId == interfaceId)
            ?? throw new InvalidOperationException($"Several interfaces of actor '{TypeName}' have a method '{name}'; it can only be called through one of them.");
    }

    [DoesNotReturn]
    private void ThrowMissing(string name) => throw new MissingMethodException($"Actor '{TypeName}' has no method '{name}' in its interfaces.");

    private object? ReadArgument(byte[] body, Type type)
    {
        if (body.Length > 0)
            return JsonSerializer.Deserialize(body, type, _options.JsonSerializerOptions);
        return type.IsValueType ? Activator.CreateInstance(type) : null;
    }
}
