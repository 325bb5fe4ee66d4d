using System.Runtime.Serialization;
using Dapr.Actors;
using Dapr.Actors.Runtime;
using Sdk.Actors.Tests;

// In no namespace: the ids of its methods were recorded from the official SDK.
public interface ICartActor : IActor
{
    Task<int> OneAsync();

    Task<int> TwoAsync(Item o);
}

namespace Sdk.Actors.Tests
{
    [DataContract]
    public sealed class Item
    {
        [DataMember]
        public string Id { get; set; } = "";

        [DataMember]
        public int Qty { get; set; }
    }

    public sealed record Line(string Id, int Qty);

    public interface ICartExtras : IActor
    {
        Task AddAsync(string name, int qty, CancellationToken cancellationToken);

        Task<Dictionary<string, int>> ListAsync(CancellationToken cancellationToken = default);

        Task<string?> EchoAsync(string? text);

        Task<Line> LineAsync(Line line);

        Task FailAsync(string message);

        Task NothingAsync();
    }

    public interface ICartExtrasToo : ICartExtras
    {
        Task<string> WhoAsync();
    }

    internal sealed class Journal
    {
        private readonly List<string> _entries = [];

        public string[] Entries
        {
            get
            {
                lock (_entries)
                    return [.. _entries];
            }
        }

        public void Write(string entry)
        {
            lock (_entries)
                _entries.Add(entry);
        }
    }

    internal sealed class CartActor(ActorHost host, Journal journal) : Actor(host), ICartActor, ICartExtrasToo, IRemindable, IAsyncDisposable
    {
        public Task<int> OneAsync() => Task.FromResult(1);

        public Task<int> TwoAsync(Item o) => Task.FromResult(o.Qty);

        public async Task AddAsync(string name, int qty, CancellationToken cancellationToken)
        {
            Assert.True(cancellationToken.CanBeCanceled);
            var items = await StateManager.GetOrAddStateAsync("items", new Dictionary<string, int>(), cancellationToken);
            items[name] = items.GetValueOrDefault(name) + qty;
            await StateManager.SetStateAsync("items", items, cancellationToken);
        }

        public async Task<Dictionary<string, int>> ListAsync(CancellationToken cancellationToken = default) =>
            (await StateManager.TryGetStateAsync<Dictionary<string, int>>("items", cancellationToken)).Value ?? [];

        public Task<string?> EchoAsync(string? text) => Task.FromResult(text);

        public Task<Line> LineAsync(Line line) => Task.FromResult(line with { Qty = line.Qty + 1 });

        public async Task FailAsync(string message)
        {
            await StateManager.SetStateAsync("half", 1);
            throw new InvalidOperationException(message);
        }

        public Task NothingAsync() => Task.CompletedTask;

        public Task<string> WhoAsync() => Task.FromResult(Id.GetId());

        public Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period)
        {
            journal.Write($"reminder {reminderName} {Convert.ToHexString(state)} {dueTime.TotalMilliseconds} {period.TotalMilliseconds}");
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            journal.Write("dispose");
            return ValueTask.CompletedTask;
        }

        protected override Task OnActivateAsync()
        {
            journal.Write($"activate {Id}");
            return Task.CompletedTask;
        }

        protected override Task OnDeactivateAsync()
        {
            journal.Write("deactivate");
            return Task.CompletedTask;
        }

        protected override Task OnPreActorMethodAsync(ActorMethodContext actorMethodContext)
        {
            journal.Write($"before {actorMethodContext.CallType} {actorMethodContext.MethodName}");
            return Task.CompletedTask;
        }

        protected override Task OnPostActorMethodAsync(ActorMethodContext actorMethodContext)
        {
            journal.Write($"after {actorMethodContext.MethodName}");
            return Task.CompletedTask;
        }

        protected override Task OnActorMethodFailedAsync(ActorMethodContext actorMethodContext, Exception e)
        {
            journal.Write($"failed {actorMethodContext.MethodName} {e.Message}");
            return Task.CompletedTask;
        }

        private Task OnTickAsync(byte[] data)
        {
            journal.Write($"tick {Convert.ToHexString(data)}");
            return Task.CompletedTask;
        }

        private Task OnBareTickAsync()
        {
            journal.Write("bare tick");
            return Task.CompletedTask;
        }
    }
}
