using System.Text.Json;
using Dapr.Common.Serialization;
using Dapr.Workflow.Client;
using Dapr.Workflow.Registration;
using Dapr.Workflow.Serialization;
using Dapr.Workflow.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Dapr.Workflow;

public static class WorkflowServiceCollectionExtensions
{
    /// <summary>Adds the worker and a <see cref="DaprWorkflowClient"/>.</summary>
    public static IServiceCollection AddDaprWorkflow(this IServiceCollection services) => services.AddDaprWorkflowBuilder(null).Services;

    /// <inheritdoc cref="AddDaprWorkflow(IServiceCollection)"/>
    /// <param name="services">Where to add them.</param>
    /// <param name="configure">Says which workflows and activities there are. Further calls add to the same worker.</param>
    /// <param name="lifetime">Of the client.</param>
    public static IServiceCollection AddDaprWorkflow(
        this IServiceCollection services,
        Action<WorkflowRuntimeOptions> configure,
        ServiceLifetime lifetime = ServiceLifetime.Singleton)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return services.AddDaprWorkflowBuilder(configure, configureClient: null, lifetime).Services;
    }

    /// <inheritdoc cref="AddDaprWorkflow(IServiceCollection)"/>
    /// <param name="services">Where to add them.</param>
    /// <param name="configureRuntime">Says which workflows and activities there are. Further calls add to the same worker.</param>
    /// <param name="configureClient">Sets up the client; its serializer is not that of <see cref="DaprWorkflowBuilder.WithSerializer(IDaprSerializer)"/>.</param>
    /// <param name="lifetime">Of the client.</param>
    public static DaprWorkflowBuilder AddDaprWorkflowBuilder(
        this IServiceCollection services,
        Action<WorkflowRuntimeOptions>? configureRuntime,
        Action<IServiceProvider, DaprWorkflowClientBuilder>? configureClient = null,
        ServiceLifetime lifetime = ServiceLifetime.Singleton)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = Shared<WorkflowRuntimeOptions>(services);
        configureRuntime?.Invoke(options);
        var limits = Shared<MessageLimits>(services);

        services.AddLogging();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IWorkflowSerializer>(new JsonWorkflowSerializer());
        services.TryAddSingleton(_ => options.BuildRegistry());
        services.TryAddSingleton(provider =>
        {
            var configuration = provider.GetService<IConfiguration>();
            return TaskHubConnection.Open(
                DaprDefaults.GetDefaultGrpcEndpoint(configuration),
                DaprDefaults.GetDefaultDaprApiToken(configuration),
                options.GrpcChannelOptions,
                limits,
                provider.GetService<ILoggerFactory>());
        });
        services.TryAddSingleton<WorkflowTurn>();
        services.TryAddSingleton<ActivityRunner>();
        services.AddHostedService<WorkflowWorker>();

        if (configureClient is not null)
            services.AddSingleton(new ClientConfiguration(configureClient));
        services.TryAddSingleton<ClientParts>();
        services.TryAdd(new ServiceDescriptor(typeof(DaprWorkflowClient), provider => provider.GetRequiredService<ClientParts>().CreateClient(), lifetime));
        return new DaprWorkflowBuilder(services, limits);
    }

    private static T Shared<T>(IServiceCollection services)
        where T : class, new()
    {
        if (services.FirstOrDefault(service => service.ServiceType == typeof(T))?.ImplementationInstance is T known)
            return known;
        var added = new T();
        services.AddSingleton(added);
        return added;
    }

    /// <summary>Goes on with the set-up of the worker.</summary>
    public readonly struct DaprWorkflowBuilder
    {
        private readonly MessageLimits _limits;

        internal DaprWorkflowBuilder(IServiceCollection services, MessageLimits limits)
        {
            Services = services;
            _limits = limits;
        }

        public IServiceCollection Services { get; }

        /// <summary>The worker's serializer. The client has one of its own.</summary>
        public DaprWorkflowBuilder WithSerializer(IDaprSerializer serializer)
        {
            ArgumentNullException.ThrowIfNull(serializer);
            Services.Replace(ServiceDescriptor.Singleton(WorkflowSerializer.From(serializer)));
            return this;
        }

        /// <inheritdoc cref="WithSerializer(IDaprSerializer)"/>
        public DaprWorkflowBuilder WithSerializer(Func<IServiceProvider, IWorkflowSerializer> serializerFactory)
        {
            ArgumentNullException.ThrowIfNull(serializerFactory);
            Services.Replace(ServiceDescriptor.Singleton(serializerFactory));
            return this;
        }

        /// <summary>JSON with these options as the worker's serializer. The client has one of its own.</summary>
        public DaprWorkflowBuilder WithJsonSerializer(JsonSerializerOptions jsonOptions)
        {
            ArgumentNullException.ThrowIfNull(jsonOptions);
            return WithSerializer(new JsonWorkflowSerializer(jsonOptions));
        }

        /// <summary>Largest messages between the sidecar and worker and client, in bytes; null leaves the channel's default.</summary>
        public DaprWorkflowBuilder WithGrpcMessageSizeLimits(int? maxReceiveMessageSize = null, int? maxSendMessageSize = null)
        {
            if (maxReceiveMessageSize is { } receive)
                ArgumentOutOfRangeException.ThrowIfLessThan(receive, 1, nameof(maxReceiveMessageSize));
            if (maxSendMessageSize is { } send)
                ArgumentOutOfRangeException.ThrowIfLessThan(send, 1, nameof(maxSendMessageSize));
            _limits.Receive = maxReceiveMessageSize ?? _limits.Receive;
            _limits.Send = maxSendMessageSize ?? _limits.Send;
            return this;
        }
    }
}
