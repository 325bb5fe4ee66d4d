using Dapr.Common;
using Dapr.Common.Serialization;
using Dapr.Workflow.Client;
using Dapr.Workflow.Serialization;
using Microsoft.Extensions.Configuration;

namespace Dapr.Workflow;

/// <summary>Builds a <see cref="DaprWorkflowClient"/> without a container, or sets up the one in it.</summary>
public sealed class DaprWorkflowClientBuilder(IConfiguration? configuration = null) : DaprGenericClientBuilder<DaprWorkflowClient>(configuration)
{
    private IWorkflowSerializer? _serializer;

    /// <summary>Serializer of inputs, outputs and event payloads. Should fit the worker's.</summary>
    public DaprWorkflowClientBuilder UseSerializer(IDaprSerializer serializer)
    {
        ArgumentNullException.ThrowIfNull(serializer);
        _serializer = WorkflowSerializer.From(serializer);
        return this;
    }

    public override DaprWorkflowClient Build() => new(BuildConnection(), BuildSerializer(), TimeProvider.System, ownsConnection: true);

    internal TaskHubConnection BuildConnection(MessageLimits? limits = null) => TaskHubConnection.Open(GrpcEndpoint, DaprApiToken, GrpcChannelOptions, limits);

    internal IWorkflowSerializer BuildSerializer() => _serializer ?? new JsonWorkflowSerializer(JsonSerializerOptions);
}
