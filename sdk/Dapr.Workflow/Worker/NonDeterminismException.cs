namespace Dapr.Workflow.Worker;

/// <summary>The code no longer does what the instance's history says it did. The instance fails rather than go on with a wrong result.</summary>
internal sealed class NonDeterminismException(string message) : InvalidOperationException(message);
