using Dapr.Common.Serialization;

namespace Dapr.Workflow.Serialization;

/// <summary>Turns inputs, results and event payloads into the text that is kept in the history and back.</summary>
public interface IWorkflowSerializer : IDaprSerializer;
