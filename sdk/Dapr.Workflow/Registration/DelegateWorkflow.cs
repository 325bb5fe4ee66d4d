using Dapr.Workflow.Abstractions;

namespace Dapr.Workflow.Registration;

internal sealed class DelegateWorkflow<TInput, TOutput>(string name, Func<WorkflowContext, TInput, Task<TOutput>> implementation) : IWorkflow
{
    public Type InputType => typeof(TInput);

    public Type OutputType => typeof(TOutput);

    public async Task<object?> RunAsync(WorkflowContext context, object? input) => await implementation(context, Inputs.Cast<TInput>(input, name));
}

internal sealed class DelegateActivity<TInput, TOutput>(string name, Func<WorkflowActivityContext, TInput, Task<TOutput>> implementation) : IWorkflowActivity
{
    public Type InputType => typeof(TInput);

    public Type OutputType => typeof(TOutput);

    public async Task<object?> RunAsync(WorkflowActivityContext context, object? input) =>
        await implementation(context, Inputs.Cast<TInput>(input, name)).ConfigureAwait(false);
}
