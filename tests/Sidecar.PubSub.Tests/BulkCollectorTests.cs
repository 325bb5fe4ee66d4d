namespace DaprPlatform.Sidecar.PubSub.Tests;

public sealed class BulkCollectorTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_subscription_that_ends_delivers_what_it_has_taken_without_waiting_for_more()
    {
        var batches = new List<int>();
        var collector = new BulkCollector(new BulkLimits(100, TimeSpan.FromHours(1)), (messages, _) =>
        {
            batches.Add(messages.Count);
            return ValueTask.FromResult<IReadOnlyList<string?>>(new string?[messages.Count]);
        }, TimeProvider.System);
        using var stopping = new CancellationTokenSource();
        var first = collector.AddAsync(new PubSubMessage("t", "1"u8.ToArray()), stopping.Token).AsTask();
        var second = collector.AddAsync(new PubSubMessage("t", "2"u8.ToArray()), stopping.Token).AsTask();
        Assert.False(first.IsCompleted);

        await stopping.CancelAsync();

        Assert.Null(await first.WaitAsync(Patience));
        Assert.Null(await second.WaitAsync(Patience));
        Assert.Null(await collector.AddAsync(new PubSubMessage("t", "3"u8.ToArray()), stopping.Token).AsTask().WaitAsync(Patience));
        Assert.Equal([2, 1], batches);
    }
}
