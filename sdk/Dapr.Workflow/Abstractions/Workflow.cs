namespace Dapr.Workflow;

/// <summary>
/// Durable, replayed code: <see cref="RunAsync"/> runs again from its start whenever something happened that the instance waits for,
/// so it must take time, ids and results only from its <see cref="WorkflowContext"/>.
/// </summary>
public abstract class Workflow<TInput, TOutput> : IWorkflow
{
    Type IWorkflow.InputType => typeof(TInput);

    Type IWorkflow.OutputType => typeof(TOutput);

    async Task<object?> IWorkflow.RunAsync(WorkflowContext context, object? input) => await RunAsync(context, Inputs.Cast<TInput>(input, GetType().Name));

    public abstract Task<TOutput> RunAsync(WorkflowContext context, TInput input);
}
