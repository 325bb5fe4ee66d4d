using Dapr.Workflow;

namespace DaprPlatform.Benchmarks.Workflow;

internal static class Shapes
{
    public static void Register(WorkflowRuntimeOptions options)
    {
        options.RegisterWorkflow<Chained>();
        options.RegisterWorkflow<FannedOut>();
        options.RegisterWorkflow<Waiting>();
        options.RegisterActivity<Increment>();
    }
}

/// <summary>Five activities one after the other, each with the result of the one before.</summary>
internal sealed class Chained : Workflow<int, int>
{
    public override async Task<int> RunAsync(WorkflowContext context, int input)
    {
        for (var i = 0; i < Load.Activities; i++)
            input = await context.CallActivityAsync<int>(nameof(Increment), input);
        return input;
    }
}

/// <summary>Five activities at once.</summary>
internal sealed class FannedOut : Workflow<int, int>
{
    public override async Task<int> RunAsync(WorkflowContext context, int input)
    {
        var results = await Task.WhenAll(Enumerable.Range(0, Load.Activities).Select(_ => context.CallActivityAsync<int>(nameof(Increment), input)));
        return results.Sum() - (Load.Activities - 1) * input;
    }
}

/// <summary>Waits for an event.</summary>
internal sealed class Waiting : Workflow<string, string>
{
    public override Task<string> RunAsync(WorkflowContext context, string input) => context.WaitForExternalEventAsync<string>("go");
}

internal sealed class Increment : WorkflowActivity<int, int>
{
    public override Task<int> RunAsync(WorkflowActivityContext context, int input) => Task.FromResult(input + 1);
}
