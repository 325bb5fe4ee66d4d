using Dapr.Workflow.Abstractions;

namespace Dapr.Workflow;

/// <summary>One step of a workflow with effects on the world. Runs at least once, so it must be idempotent.</summary>
public abstract class WorkflowActivity<TInput, TOutput> : IWorkflowActivity
{
    Type IWorkflowActivity.InputType => typeof(TInput);

    Type IWorkflowActivity.OutputType => typeof(TOutput);

    async Task<object?> IWorkflowActivity.RunAsync(WorkflowActivityContext context, object? input) =>
        await RunAsync(context, Inputs.Cast<TInput>(input, GetType().Name)).ConfigureAwait(false);

    public abstract Task<TOutput> RunAsync(WorkflowActivityContext context, TInput input);
}
