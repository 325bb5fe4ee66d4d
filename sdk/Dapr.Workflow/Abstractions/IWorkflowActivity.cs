namespace Dapr.Workflow.Abstractions;

/// <summary>The untyped face of an activity, as the worker sees it. Derive from <see cref="WorkflowActivity{TInput, TOutput}"/>.</summary>
public interface IWorkflowActivity
{
    Type InputType { get; }

    Type OutputType { get; }

    Task<object?> RunAsync(WorkflowActivityContext context, object? input);
}
