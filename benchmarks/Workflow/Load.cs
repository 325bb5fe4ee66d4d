using System.Diagnostics;
using System.Globalization;
using Dapr.Workflow;

namespace DaprPlatform.Benchmarks.Workflow;

/// <param name="Workflows">Started and completed with the right result.</param>
/// <param name="ElapsedSeconds">From the first start to the last completion.</param>
/// <param name="Milliseconds">Of each: from the call that starts it to the answer that it is complete.</param>
internal sealed record LoadResult(int Workflows, double ElapsedSeconds, IReadOnlyList<double> Milliseconds);

internal static class Load
{
    public const int Activities = 5;

    /// <exception cref="InvalidOperationException">A workflow ended otherwise than it must.</exception>
    public static async Task<LoadResult> RunAsync(DaprWorkflowClient client, string shape, int count, int clients, CancellationToken cancel)
    {
        var name = shape switch { "chained" => nameof(Chained), "parallel" => nameof(FannedOut), _ => throw new ArgumentException($"There is no shape {shape}.", nameof(shape)) };
        var milliseconds = new double[count];
        var next = -1;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) is var i && i < count)
            {
                var started = Stopwatch.GetTimestamp();
                var id = await client.ScheduleNewWorkflowAsync(name, Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture), i);
                var state = await client.WaitForWorkflowCompletionAsync(id, getInputsAndOutputs: true, cancel);
                milliseconds[i] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
                var expected = i + Activities; // In both shapes.
                if (state.RuntimeStatus != WorkflowRuntimeStatus.Completed || state.ReadOutputAs<int>() != expected)
                    throw new InvalidOperationException($"Workflow {id} ended {state.RuntimeStatus} with {state.ReadOutputAs<int>()} instead of {expected}.");
            }
        }));
        return new LoadResult(count, watch.Elapsed.TotalSeconds, milliseconds);
    }
}
