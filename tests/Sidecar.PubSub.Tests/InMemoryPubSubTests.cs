using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.PubSub;
using DaprPlatform.Sidecar.PubSub.InMemory;
using DaprPlatform.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.PubSub.Tests;

public sealed class InMemoryPubSubTests : IAsyncLifetime
{
    private const int Kilobytes = 1 << 10;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly ManualTime _time = new();
    private InMemoryPubSub _pubSub = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _pubSub = new InMemoryPubSub(new ComponentSpec("p", "pubsub.in-memory", "v1", new Dictionary<string, string>(), new Dictionary<string, string>(), new SidecarOptions { AppId = "a" }, null!, NullLoggerFactory.Instance, _time));
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => _pubSub.DisposeAsync();

    [Fact]
    public async Task Who_publishes_faster_than_is_delivered_waits_so_that_what_waits_is_bounded()
    {
        var (published, handled, most) = (0, 0, 0);
        var step = new SemaphoreSlim(0);
        await using var subscription = await _pubSub.SubscribeAsync(new SubscribeRequest("t", new Dictionary<string, string>(), false), async (_, stopping) =>
        {
            await step.WaitAsync(stopping);
            Interlocked.Increment(ref handled);
            return null;
        }, Token);
        const int Messages = 1000;
        var publishing = Task.Run(async () =>
        {
            for (var i = 0; i < Messages; i++)
            {
                await _pubSub.PublishAsync(new PubSubMessage("t", new byte[100 * Kilobytes]), Token);
                most = Math.Max(most, Interlocked.Increment(ref published) - Volatile.Read(ref handled));
            }
        }, Token);
        // 32 MB fit; the next one waits, however long.
        await UntilAsync(() => Volatile.Read(ref published) >= 320);
        Assert.InRange(Volatile.Read(ref published), 320, 330);
        step.Release(Messages);
        await publishing.WaitAsync(Patience, Token);
        await UntilAsync(() => Volatile.Read(ref handled) == Messages);
        Assert.InRange(most, 1, 330);
    }

    [Fact]
    public async Task A_publisher_that_is_what_delivers_is_not_kept_waiting_for_ever()
    {
        await using var subscription = await _pubSub.SubscribeAsync(new SubscribeRequest("t", new Dictionary<string, string>(), false), static async (_, stopping) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return null;
        }, Token);
        Task<bool> PublishAsync() => Task.Run(async () =>
        {
            await _pubSub.PublishAsync(new PubSubMessage("t", new byte[4 << 20]), Token);
            return true;
        }, Token);
        for (var i = 0; i < 7; i++)
            await PublishAsync().WaitAsync(Patience, Token);
        var late = Task.WhenAll(PublishAsync(), PublishAsync());
        await UntilAsync(() => _time.PendingTimers > 0);
        Assert.False(late.IsCompleted);
        while (!late.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(late, Task.Delay(TimeSpan.FromMilliseconds(20), Token));
        }

        await late;
    }

    [Fact]
    public async Task A_subscription_that_ends_lets_its_publishers_go()
    {
        var subscription = await _pubSub.SubscribeAsync(new SubscribeRequest("t", new Dictionary<string, string>(), false), static async (_, stopping) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return null;
        }, Token);
        var publishing = Task.Run(async () =>
        {
            for (var i = 0; i < 20; i++)
                await _pubSub.PublishAsync(new PubSubMessage("t", new byte[4 << 20]), Token);
        }, Token);
        await UntilAsync(() => _time.PendingTimers > 0);
        await subscription.DisposeAsync();
        await publishing.WaitAsync(Patience, Token);
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var start = TimeProvider.System.GetTimestamp(); !condition();)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Patience);
            await Task.Delay(TimeSpan.FromMilliseconds(5), Token);
        }
    }
}
