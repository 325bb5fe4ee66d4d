using Dapr.Actors.Client;
using Dapr.Actors.Communication;
using Microsoft.Extensions.Logging;

namespace Dapr.Actors.Runtime;

/// <summary>The actors of this app.</summary>
public sealed class ActorRuntime
{
    private readonly Dictionary<string, ActorTypeHost> _types = new(StringComparer.Ordinal);
    private readonly byte[] _settings;

    internal ActorRuntime(
        ActorRuntimeOptions options,
        ILoggerFactory loggers,
        ActorActivator activator,
        IActorProxyFactory proxies,
        string httpEndpoint,
        string? apiToken,
        HttpMessageHandler handler,
        TimeProvider time)
    {
        var sidecar = new SidecarActors(handler, httpEndpoint, apiToken, timeout: null);
        var timers = new SidecarTimers(sidecar, time);
        foreach (var registration in options.Actors)
        {
            _types.Add(registration.Type.ActorTypeName, new ActorTypeHost(
                registration,
                options,
                activator,
                id => new ActorHost(registration.Type, id, options.JsonSerializerOptions, loggers, proxies, timers, sidecar, time)));
        }

        RegisteredActors = [.. options.Actors];
        _settings = RuntimeSettings.Write(options);
    }

    public IReadOnlyList<ActorRegistration> RegisteredActors { get; }

    internal ReadOnlyMemory<byte> Settings => _settings;

    /// <exception cref="InvalidOperationException">The type is not registered.</exception>
    internal ActorTypeHost TypeOf(string name) => _types.TryGetValue(name, out var type)
        ? type
        : throw new InvalidOperationException($"Actor type '{name}' is not registered with this app.");
}
