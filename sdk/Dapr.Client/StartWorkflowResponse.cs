namespace Dapr.Client;

/// <summary>The instance that was started.</summary>
/// <param name="InstanceId">Its id.</param>
public sealed record StartWorkflowResponse(string InstanceId);
