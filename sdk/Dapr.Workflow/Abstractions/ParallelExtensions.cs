namespace Dapr.Workflow;

public static class ParallelExtensions
{
    /// <summary>Runs a task per input, at most <paramref name="maxConcurrency"/> at a time, and gives the results in the order of the inputs.</summary>
    /// <exception cref="AggregateException">Some tasks failed; thrown when all have ended.</exception>
    public static async Task<TResult[]> ProcessInParallelAsync<TInput, TResult>(
        this WorkflowContext context,
        IEnumerable<TInput> inputs,
        Func<TInput, Task<TResult>> taskFactory,
        int maxConcurrency = 5)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(taskFactory);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxConcurrency, 1);

        var all = inputs as IReadOnlyList<TInput> ?? [.. inputs];
        var results = new TResult[all.Count];
        List<Exception>? failures = null;
        var next = 0;

        // Lanes instead of WhenAny over a window: each starts its next input in the order in which tasks end, which replays alike, at constant cost per task.
        async Task RunLane()
        {
            while (next < all.Count)
            {
                var index = next++;
                try
                {
                    results[index] = await taskFactory(all[index]);
                }
                catch (Exception failure)
                {
                    (failures ??= []).Add(failure);
                }
            }
        }

        var lanes = new Task[Math.Min(maxConcurrency, all.Count)];
        for (var i = 0; i < lanes.Length; i++)
            lanes[i] = RunLane();
        await Task.WhenAll(lanes);
        return failures is null ? results : throw new AggregateException($"{failures.Count} of {all.Count} tasks failed.", failures);
    }
}
