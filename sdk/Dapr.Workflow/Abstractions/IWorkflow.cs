namespace Dapr.Workflow;

/// <summary>The untyped face of a workflow, as the worker sees it. Derive from <see cref="Workflow{TInput, TOutput}"/>.</summary>
public interface IWorkflow
{
    Type InputType { get; }

    Type OutputType { get; }

    Task<object?> RunAsync(WorkflowContext context, object? input);
}
