using Dapr.Common.Serialization;

namespace Dapr.Workflow.Serialization;

/// <summary>A serializer that was written for all of Dapr, used for workflows.</summary>
internal sealed class WorkflowSerializer(IDaprSerializer inner) : IWorkflowSerializer
{
    public static IWorkflowSerializer From(IDaprSerializer serializer) => serializer as IWorkflowSerializer ?? new WorkflowSerializer(serializer);

    public string Serialize(object? value, Type? inputType = null) => inner.Serialize(value, inputType);

    public T? Deserialize<T>(string? data) => inner.Deserialize<T>(data);

    public object? Deserialize(string? data, Type returnType) => inner.Deserialize(data, returnType);
}
