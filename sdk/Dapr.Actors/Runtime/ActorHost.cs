using System.Text.Json;
using Dapr.Actors.Client;
using Dapr.Actors.Communication;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dapr.Actors.Runtime;

/// <summary>What an actor is made with. To be handed on to the base constructor.</summary>
public sealed class ActorHost
{
    internal ActorHost(
        ActorTypeInformation actorTypeInfo,
        ActorId id,
        JsonSerializerOptions jsonSerializerOptions,
        ILoggerFactory loggerFactory,
        IActorProxyFactory proxyFactory,
        ActorTimerManager timerManager,
        SidecarActors? sidecar,
        TimeProvider time)
    {
        ActorTypeInfo = actorTypeInfo;
        Id = id;
        JsonSerializerOptions = jsonSerializerOptions;
        LoggerFactory = loggerFactory;
        ProxyFactory = proxyFactory;
        TimerManager = timerManager;
        Sidecar = sidecar;
        Time = time;
    }

    public ActorTypeInformation ActorTypeInfo { get; }

    public ActorId Id { get; }

    public ILoggerFactory LoggerFactory { get; }

    public JsonSerializerOptions JsonSerializerOptions { get; }

    public IActorProxyFactory ProxyFactory { get; }

    public ActorTimerManager TimerManager { get; }

    /// <summary>Null in a test.</summary>
    internal SidecarActors? Sidecar { get; }

    internal TimeProvider Time { get; }

    /// <summary>A host for a unit test. Without a sidecar: state, timers and proxies work only if the test brings its own.</summary>
    public static ActorHost CreateForTest<TActor>(ActorTestOptions? options = null)
        where TActor : Actor => CreateForTest(typeof(TActor), options);

    /// <inheritdoc cref="CreateForTest{TActor}(ActorTestOptions)"/>
    public static ActorHost CreateForTest(Type actorType, ActorTestOptions? options = null)
    {
        options ??= new ActorTestOptions();
        return new ActorHost(
            ActorTypeInformation.Get(actorType),
            options.ActorId,
            options.JsonSerializerOptions,
            options.LoggerFactory,
            options.ProxyFactory,
            options.TimerManager,
            sidecar: null,
            TimeProvider.System);
    }
}

/// <summary>What a test brings instead of what the sidecar gives.</summary>
public sealed class ActorTestOptions
{
    public ActorId ActorId { get; set; } = ActorId.CreateRandom();

    public ILoggerFactory LoggerFactory { get; set; } = NullLoggerFactory.Instance;

    public JsonSerializerOptions JsonSerializerOptions { get; set; } = new(JsonSerializerDefaults.Web);

    public IActorProxyFactory ProxyFactory { get; set; } = new NoProxies();

    public ActorTimerManager TimerManager { get; set; } = new NoTimers();

    private static InvalidOperationException Missing(string property) =>
        new($"This actor was made for a test without {property}; set it in {nameof(ActorTestOptions)}.");

    private sealed class NoProxies : IActorProxyFactory
    {
        public TActorInterface CreateActorProxy<TActorInterface>(ActorId actorId, string actorType, ActorProxyOptions? options = null)
            where TActorInterface : IActor => throw Missing(nameof(ProxyFactory));

        public object CreateActorProxy(ActorId actorId, Type actorInterfaceType, string actorType, ActorProxyOptions? options = null) =>
            throw Missing(nameof(ProxyFactory));

        public ActorProxy Create(ActorId actorId, string actorType, ActorProxyOptions? options = null) => throw Missing(nameof(ProxyFactory));
    }

    private sealed class NoTimers : ActorTimerManager
    {
        public override Task RegisterReminderAsync(ActorReminder reminder) => throw Missing(nameof(TimerManager));

        public override Task<IActorReminder?> GetReminderAsync(ActorReminderToken reminder) => throw Missing(nameof(TimerManager));

        public override Task UnregisterReminderAsync(ActorReminderToken reminder) => throw Missing(nameof(TimerManager));

        public override Task RegisterTimerAsync(ActorTimer timer) => throw Missing(nameof(TimerManager));

        public override Task UnregisterTimerAsync(ActorTimerToken timer) => throw Missing(nameof(TimerManager));
    }
}
