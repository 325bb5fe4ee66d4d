using System.Globalization;
using System.Text;
using Dapr.Workflow;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Workflow.Crash.Tests;

/// <summary>The worker that is killed. Its activities write down each time that they begin.</summary>
internal static class WorkerProcess
{
    public const string Command = "worker";
    public const string Event = "go";

    /// <param name="arguments">gRPC port of the sidecar, file for the beginnings.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        Environment.SetEnvironmentVariable("DAPR_GRPC_PORT", arguments[0]);
        await using var log = new ActivityLog(arguments[1]);
        var builder = Host.CreateApplicationBuilder([]);
        builder.Logging.SetMinimumLevel(LogLevel.Critical);
        builder.Services.AddSingleton(log);
        builder.Services.AddDaprWorkflow(options =>
        {
            options.RegisterWorkflow<Chain>();
            options.RegisterWorkflow<FanOut>();
            options.RegisterWorkflow<Timed>();
            options.RegisterWorkflow<Evented>();
            options.RegisterWorkflow<Parental>();
            options.RegisterWorkflow<Kid>();
            options.RegisterWorkflow<Repeating>();
            options.RegisterActivity<Increment>();
        });
        await builder.Build().RunAsync();
        return 0;
    }
}

/// <summary>One line for each beginning of an activity, whole however the process ends: the file is opened for appending and each line is one write.</summary>
internal sealed class ActivityLog(string path) : IAsyncDisposable
{
    private readonly FileStream _file = new(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
    private readonly Lock _lock = new();

    public void Begin(string instanceId, string execution)
    {
        var line = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow.Ticks} {instanceId} {execution}\n"));
        lock (_lock)
            _file.Write(line);
    }

    public ValueTask DisposeAsync() => _file.DisposeAsync();
}

internal sealed class Increment(ActivityLog log) : WorkflowActivity<int, int>
{
    public override Task<int> RunAsync(WorkflowActivityContext context, int input)
    {
        log.Begin(context.InstanceId, context.TaskExecutionKey);
        return Task.FromResult(input + 1);
    }
}

internal sealed class Chain : Workflow<int, int>
{
    public override async Task<int> RunAsync(WorkflowContext context, int input)
    {
        for (var i = 0; i < 5; i++)
            input = await context.CallActivityAsync<int>(nameof(Increment), input);
        return input;
    }
}

internal sealed class FanOut : Workflow<int, int>
{
    public override async Task<int> RunAsync(WorkflowContext context, int input) =>
        (await Task.WhenAll(Enumerable.Range(0, 20).Select(i => context.CallActivityAsync<int>(nameof(Increment), input + i)))).Sum();
}

internal sealed class Timed : Workflow<int, int>
{
    public override async Task<int> RunAsync(WorkflowContext context, int input)
    {
        input = await context.CallActivityAsync<int>(nameof(Increment), input);
        await context.CreateTimer(TimeSpan.FromMilliseconds(300));
        return await context.CallActivityAsync<int>(nameof(Increment), input);
    }
}

internal sealed class Evented : Workflow<int, int>
{
    public override async Task<int> RunAsync(WorkflowContext context, int input)
    {
        input = await context.CallActivityAsync<int>(nameof(Increment), input);
        return input + await context.WaitForExternalEventAsync<int>(WorkerProcess.Event);
    }
}

internal sealed class Parental : Workflow<int, int>
{
    public override async Task<int> RunAsync(WorkflowContext context, int input)
    {
        var both = await Task.WhenAll(context.CallChildWorkflowAsync<int>(nameof(Kid), input), context.CallChildWorkflowAsync<int>(nameof(Kid), input + 1));
        return await context.CallChildWorkflowAsync<int>(nameof(Kid), both.Sum());
    }
}

internal sealed class Kid : Workflow<int, int>
{
    public override Task<int> RunAsync(WorkflowContext context, int input) => context.CallActivityAsync<int>(nameof(Increment), input);
}

/// <summary>Five executions, each with an activity; the input carries the round and the sum.</summary>
internal sealed class Repeating : Workflow<int[], int>
{
    public override async Task<int> RunAsync(WorkflowContext context, int[] input)
    {
        var sum = await context.CallActivityAsync<int>(nameof(Increment), input[1]);
        if (input[0] < 5)
            context.ContinueAsNew(new[] { input[0] + 1, sum });
        return sum;
    }
}
