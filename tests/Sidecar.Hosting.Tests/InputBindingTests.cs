namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class InputBindingTests
{
    [Fact]
    public async Task An_attempt_whose_time_is_up_is_taken_back_from_the_app_before_the_next()
    {
        await using var app = await StandInApp.StartAsync();
        var (gone, again) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var calls = 0;
        app.Answers["/tick"] = async context =>
        {
            if (context.Request.Method == "OPTIONS")
                return;
            if (Interlocked.Increment(ref calls) > 1)
            {
                again.TrySetResult();
                return;
            }

            context.RequestAborted.Register(gone.SetResult);
            await gone.Task;
        };
        var policy = """
            apiVersion: dapr.io/v1alpha1
            kind: Resiliency
            metadata:
              name: r
            spec:
              policies:
                timeouts: {short: 300ms}
                retries: {often: {policy: constant, duration: 10ms, maxRetries: 3}}
              targets:
                components:
                  tick:
                    inbound: {timeout: short, retry: often}
            """;

        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("tick", "bindings.cron", ("schedule", "@every 1s")), policy], app.Port);

        await gone.Task.WaitAsync(RunningSidecar.Patience);
        await again.Task.WaitAsync(RunningSidecar.Patience);
    }
}
