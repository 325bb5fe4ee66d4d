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
        const int Messages = 1000;
        // 32 MB fit; the next one waits, however long.
        const int Fitting = 320;
        var (published, handled, most) = (0, 0, 0);
        var (full, empty) = (new TaskCompletionSource(), new TaskCompletionSource());
        var step = new SemaphoreSlim(0);
        await using var subscription = await _pubSub.SubscribeAsync(new SubscribeRequest("t", new Dictionary<string, string>(), false), async (_, stopping) =>
        {
            await step.WaitAsync(stopping);
            if (Interlocked.Increment(ref handled) == Messages)
                empty.SetResult();
            return null;
        }, Token);
        var publishing = Task.Run(async () =>
        {
            for (var i = 0; i < Messages; i++)
            {
                await _pubSub.PublishAsync(new PubSubMessage("t", new byte[100 * Kilobytes]), Token);
                most = Math.Max(most, Interlocked.Increment(ref published) - Volatile.Read(ref handled));
                if (published == Fitting)
                    full.SetResult();
            }
        }, Token);
        await full.Task.WaitAsync(Patience, Token);
        Assert.InRange(Volatile.Read(ref published), Fitting, Fitting + 10);
        step.Release(Messages);
        await publishing.WaitAsync(Patience, Token);
        await empty.Task.WaitAsync(Patience, Token);
        Assert.InRange(most, 1, Fitting + 10);
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
        await _time.NextWaitAsync(Token).WaitAsync(Patience, Token);
        Assert.False(late.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        while (await Task.WhenAny(late, _time.NextWaitAsync(Token)).WaitAsync(Patience, Token) != late)
            _time.Advance(TimeSpan.FromSeconds(1));
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
        await _time.NextWaitAsync(Token).WaitAsync(Patience, Token);
        await subscription.DisposeAsync();
        await publishing.WaitAsync(Patience, Token);
    }
}
