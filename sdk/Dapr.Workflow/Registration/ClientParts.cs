using Dapr.Workflow.Client;
using Dapr.Workflow.Serialization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Dapr.Workflow.Registration;

internal sealed record ClientConfiguration(Action<IServiceProvider, DaprWorkflowClientBuilder> Apply);

/// <summary>What all clients of a container share, whatever their lifetime: one connection, the worker's unless a client was set up differently.</summary>
internal sealed class ClientParts : IDisposable
{
    private readonly TaskHubConnection _connection;
    private readonly bool _ownsConnection;
    private readonly IWorkflowSerializer _serializer;
    private readonly TimeProvider _time;

    public ClientParts(IServiceProvider services, IEnumerable<ClientConfiguration> configurations, WorkflowRuntimeOptions options, MessageLimits limits, TimeProvider time)
    {
        _time = time;
        var builder = new DaprWorkflowClientBuilder(services.GetService<IConfiguration>());
        if (options.GrpcChannelOptions is { } channelOptions)
            builder.UseGrpcChannelOptions(channelOptions);
        foreach (var configuration in configurations)
        {
            configuration.Apply(services, builder);
            _ownsConnection = true;
        }

        _connection = _ownsConnection ? builder.BuildConnection(limits) : services.GetRequiredService<TaskHubConnection>();
        _serializer = builder.BuildSerializer();
    }

    public DaprWorkflowClient CreateClient() => new(_connection, _serializer, _time, ownsConnection: false);

    public void Dispose()
    {
        if (_ownsConnection)
            _connection.Dispose();
    }
}
