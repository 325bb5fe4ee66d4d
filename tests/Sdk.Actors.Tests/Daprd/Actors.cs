using System.Threading.Channels;
using Dapr.Actors;
using Dapr.Actors.Runtime;
using Microsoft.Extensions.DependencyInjection;

namespace Sdk.Actors.Tests.Daprd;

public sealed record Total(int Count, string[] Names);

public interface IShelf : IActor
{
    Task<int> PutAsync(string name, int qty);

    Task<Total> TotalAsync();

    Task FailAsync(string why);

    /// <summary>Says how many calls are inside this actor, and stays until the test lets one go.</summary>
    Task HoldAsync();

    Task PutForAsync(string name, TimeSpan ttl);

    Task<bool> HasAsync(string name);

    Task RemindAsync(string name, byte[] state, TimeSpan dueTime, TimeSpan period);

    Task RemindTimesAsync(string name, int times);

    Task<string?> AboutReminderAsync(string name);

    Task ForgetAsync(string name);

    Task StartTimerAsync(string name, byte[] data, TimeSpan dueTime, TimeSpan period);

    Task StopTimerAsync(string name);

    /// <summary>Calls the next of the shelves named, which calls the one after it; the last adds one to each.</summary>
    Task<int> PassAsync(string[] others);
}

/// <summary>What the actors of the test tell it.</summary>
internal sealed class Diary
{
    private readonly Channel<string> _entries = Channel.CreateUnbounded<string>();

    /// <summary>Lets calls go that hold an actor, one a release.</summary>
    public SemaphoreSlim Let { get; } = new(0);

    public void Write(string entry) => _entries.Writer.TryWrite(entry);

    /// <summary>The next entry that begins so; others are dropped.</summary>
    public async Task<string> NextAsync(string beginning)
    {
        while (true)
        {
            var entry = await _entries.Reader.ReadAsync(TestContext.Current.CancellationToken);
            if (entry.StartsWith(beginning, StringComparison.Ordinal))
                return entry;
        }
    }
}

internal sealed class ShelfActor(ActorHost host, Diary diary) : Actor(host), IShelf, IRemindable
{
    private int _inside;

    public async Task<int> PutAsync(string name, int qty)
    {
        var items = await StateManager.GetOrAddStateAsync("items", new Dictionary<string, int>());
        items[name] = items.GetValueOrDefault(name) + qty;
        await StateManager.SetStateAsync("items", items);
        return items[name];
    }

    public async Task<Total> TotalAsync()
    {
        var items = (await StateManager.TryGetStateAsync<Dictionary<string, int>>("items")).Value ?? [];
        return new Total(items.Values.Sum(), [.. items.Keys.Order()]);
    }

    public async Task FailAsync(string why)
    {
        await PutAsync("lost", 1);
        throw new InvalidOperationException(why);
    }

    public async Task HoldAsync()
    {
        diary.Write($"holding {Id} {Interlocked.Increment(ref _inside)}");
        await diary.Let.WaitAsync();
        Interlocked.Decrement(ref _inside);
    }

    public Task PutForAsync(string name, TimeSpan ttl) => StateManager.SetStateAsync($"for-{name}", 1, ttl);

    public Task<bool> HasAsync(string name) => StateManager.ContainsStateAsync($"for-{name}");

    public Task RemindAsync(string name, byte[] state, TimeSpan dueTime, TimeSpan period) => RegisterReminderAsync(name, state, dueTime, period);

    public Task RemindTimesAsync(string name, int times) => RegisterReminderAsync(name, [1], TimeSpan.Zero, TimeSpan.FromSeconds(1), times);

    public async Task<string?> AboutReminderAsync(string name) => await GetReminderAsync(name) is { } reminder ? $"{reminder.Name} {reminder.DueTime} {reminder.Period} {Convert.ToHexString(reminder.State)}" : null;

    public Task ForgetAsync(string name) => UnregisterReminderAsync(name);

    public Task StartTimerAsync(string name, byte[] data, TimeSpan dueTime, TimeSpan period) => RegisterTimerAsync(name, nameof(OnTimerAsync), data, dueTime, period);

    public Task StopTimerAsync(string name) => UnregisterTimerAsync(name);

    public async Task<int> PassAsync(string[] others)
    {
        var count = await PutAsync("passed", 1);
        if (others is not [var next, .. var rest])
            return count;
        await SaveStateAsync();
        return await ProxyFactory.CreateActorProxy<IShelf>(new ActorId(next), "ShelfActor").PassAsync(rest);
    }

    public Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period)
    {
        diary.Write($"reminder {Id} {reminderName} {Convert.ToHexString(state)}");
        return Task.CompletedTask;
    }

    protected override Task OnActivateAsync()
    {
        diary.Write($"activated {Id}");
        return Task.CompletedTask;
    }

    protected override Task OnDeactivateAsync()
    {
        diary.Write($"deactivated {Id}");
        return Task.CompletedTask;
    }

    private Task OnTimerAsync(byte[] data)
    {
        diary.Write($"timer {Id} {Convert.ToHexString(data)}");
        return Task.CompletedTask;
    }
}

/// <summary>A shelf that is put away soon.</summary>
[Actor(TypeName = "Brief")]
internal sealed class BriefActor(ActorHost host, Diary diary) : Actor(host), IBrief
{
    private int _calls;

    public async Task<int> CountAsync()
    {
        await StateManager.AddOrUpdateStateAsync("total", 1, (_, n) => n + 1);
        return ++_calls;
    }

    public Task<int> StoredAsync() => StateManager.GetOrAddStateAsync("total", 0);

    protected override Task OnDeactivateAsync()
    {
        diary.Write($"deactivated {Id}");
        return Task.CompletedTask;
    }
}

public interface IBrief : IActor
{
    /// <summary>Calls since the activation.</summary>
    Task<int> CountAsync();

    Task<int> StoredAsync();
}
