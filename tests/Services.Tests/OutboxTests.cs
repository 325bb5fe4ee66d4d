using System.Collections.Concurrent;
using Dapr.Client;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Orders.Data;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Metrics;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.Services.Tests.Fixtures;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;
using Xunit;

namespace DaprPlatform.Services.Tests;

public sealed class OutboxTests(OrdersFixture orders) : IClassFixture<OrdersFixture>
{
    private static readonly TimeSpan Pause = OutboxRelay<OrdersDb>.MinInterval;
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(30);
    private readonly ConcurrentQueue<string> _published = new();
    private readonly DaprClient _dapr = Substitute.For<DaprClient>();
    private readonly FakeBroker _broker = new();
    // Of this test alone: a timer of the relay before goes a little later than the relay itself.
    private readonly ManualTime _clock = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = 300_000)]
    public async Task An_event_is_written_with_the_change_it_tells_of_or_not_at_all()
    {
        await EmptyAsync();
        await orders.AsAsync<OrdersDb, int>(async db =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync(Cancel);
            db.Add(new OrderCounter { UserId = Guid.NewGuid(), Last = 1 });
            db.Publish(new UserRegistered("rolled back", "Ada", _clock.GetUtcNow()), _clock.GetUtcNow());
            await db.SaveChangesAsync(Cancel);
            await transaction.RollbackAsync(Cancel);
            return 0;
        });
        Assert.Empty(await RowsAsync());

        var taken = Guid.NewGuid();
        await SaveAsync("taken", taken);
        await Assert.ThrowsAsync<DbUpdateException>(() => SaveAsync("refused", taken));
        Assert.Equal(["taken"], (await RowsAsync()).Select(r => r.PartitionKey));
    }

    [Fact(Timeout = 300_000)]
    public async Task What_an_earlier_process_left_is_published_at_the_start()
    {
        await EmptyAsync();
        PublishWith(static _ => Task.CompletedTask);
        await SaveAsync("a");
        await SaveAsync("b");
        await RunAsync(async () =>
        {
            await _clock.WaitedForAsync(Pause).WaitAsync(Cancel);
            Assert.Equal(["a", "b"], _published.Order());
            Assert.All(await RowsAsync(), r => Assert.Equal(_clock.GetUtcNow(), r.SentAt));
        });
    }

    [Fact(Timeout = 300_000)]
    public async Task A_commit_wakes_the_relay_and_an_event_of_another_replica_is_found_later()
    {
        await EmptyAsync();
        PublishWith(static _ => Task.CompletedTask);
        await RunAsync(async () =>
        {
            await IdleAsync();
            await SaveAsync("woken");
            await _clock.WaitedForAsync(Pause).WaitAsync(Cancel);
            Assert.Equal(["woken"], _published);

            await IdleAsync();
            await orders.AsAsync<OrdersDb, int>(db => db.Database.ExecuteSqlAsync(
                $"""
                 INSERT INTO outbox (event_id, topic, type, partition_key, data, occurred_at)
                 VALUES ({Guid.NewGuid()}, {UserRegistered.Topic}, 'users.v1.registered', 'found', {"{}"}, {_clock.GetUtcNow()})
                 """,
                Cancel));
            // What looked idle may have been the end of the timer before; then it sleeps once more.
            while (_published.Count < 2)
            {
                await Task.WhenAny(_clock.WaitedForAsync(Idle), _clock.WaitedForAsync(Pause)).WaitAsync(Cancel);
                _clock.Advance(Idle);
            }
            Assert.Equal(["woken", "found"], _published);
        });
    }

    [Fact(Timeout = 300_000)]
    public async Task Where_several_events_come_at_a_time_the_next_batch_gathers_for_longer()
    {
        await EmptyAsync();
        PublishWith(static _ => Task.CompletedTask);
        for (var i = 0; i < OutboxRelay<OrdersDb>.BusyBatch; i++)
            await SaveAsync($"{i}");
        await RunAsync(async () =>
        {
            await _clock.WaitedForAsync(OutboxRelay<OrdersDb>.BusyInterval).WaitAsync(Cancel);
            Assert.Equal(OutboxRelay<OrdersDb>.BusyBatch, _published.Count);
            // A commit meanwhile does not cut it short.
            await SaveAsync("later");
            Assert.DoesNotContain("later", _published);
            _clock.Advance(OutboxRelay<OrdersDb>.BusyInterval);
            await _clock.WaitedForAsync(Pause).WaitAsync(Cancel);
            Assert.Contains("later", _published);
        });
    }

    [Fact(Timeout = 300_000)]
    public async Task An_event_is_marked_only_after_it_was_published()
    {
        await EmptyAsync();
        var called = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        PublishWith(_ =>
        {
            called.TrySetResult();
            return answer.Task;
        });
        await SaveAsync("slow");
        await RunAsync(async () =>
        {
            await called.Task.WaitAsync(Cancel);
            Assert.Null(Assert.Single(await RowsAsync()).SentAt);
            answer.SetResult();
            await _clock.WaitedForAsync(Pause).WaitAsync(Cancel);
            Assert.NotNull(Assert.Single(await RowsAsync()).SentAt);
        });
    }

    [Fact(Timeout = 300_000)]
    public async Task An_event_that_could_not_be_published_is_kept_and_tried_again_under_the_same_id()
    {
        await EmptyAsync();
        var ids = new ConcurrentQueue<string>();
        PublishWith(envelope =>
        {
            ids.Enqueue(envelope.Id);
            return ids.Count <= 2 ? throw new InvalidOperationException("The broker is away.") : Task.CompletedTask;
        });
        await SaveAsync("kept");
        await RunAsync(async () =>
        {
            await _clock.WaitedForAsync(FirstBackOff).WaitAsync(Cancel);
            Assert.Null(Assert.Single(await RowsAsync()).SentAt);
            _clock.Advance(FirstBackOff);
            await _clock.WaitedForAsync(2 * FirstBackOff).WaitAsync(Cancel);
            Assert.Null(Assert.Single(await RowsAsync()).SentAt);
            _clock.Advance(2 * FirstBackOff);
            await _clock.WaitedForAsync(Pause).WaitAsync(Cancel);
        });
        var row = Assert.Single(await RowsAsync());
        Assert.NotNull(row.SentAt);
        Assert.Equal(3, ids.Count);
        Assert.Equal(row.EventId.ToString(), Assert.Single(ids.Distinct()));
    }

    [Fact(Timeout = 300_000)]
    public async Task A_failure_of_one_key_holds_up_no_other()
    {
        await EmptyAsync();
        PublishWith(envelope => envelope.Subject == "bad" ? throw new InvalidOperationException("Refused.") : Task.CompletedTask);
        await SaveAsync("bad");
        await SaveAsync("good");
        await RunAsync(() => _clock.WaitedForAsync(FirstBackOff).WaitAsync(Cancel));
        Assert.Equal([("bad", false), ("good", true)], (await RowsAsync()).Select(r => (r.PartitionKey, r.SentAt is not null)));
    }

    [Fact(Timeout = 300_000)]
    public async Task The_events_of_a_key_keep_their_order_behind_a_failure()
    {
        await EmptyAsync();
        var rounds = new ConcurrentQueue<string[]>();
        _dapr.BulkPublishEventAsync<OutboxEnvelope>(default!, default!, default!, default, Cancel).ReturnsForAnyArgs(call =>
        {
            var envelopes = call.Arg<IReadOnlyList<OutboxEnvelope>>();
            Assert.Equal("order", call.Arg<Dictionary<string, string>>()["partitionKey"]);
            rounds.Enqueue([.. envelopes.Select(e => e.Id)]);
            // The second of the first round is refused, the third is not.
            return rounds.Count > 1 ? Answer() : Answer(envelopes[1]);
        });
        for (var i = 0; i < 3; i++)
            await SaveAsync("order");
        var ids = (await RowsAsync()).Select(r => r.EventId.ToString()).ToArray();
        await RunAsync(async () =>
        {
            await _clock.WaitedForAsync(FirstBackOff).WaitAsync(Cancel);
            Assert.Equal([true, false, false], (await RowsAsync()).Select(r => r.SentAt is not null));
            _clock.Advance(FirstBackOff);
            await _clock.WaitedForAsync(Pause).WaitAsync(Cancel);
        });
        Assert.Equal([ids, ids[1..]], rounds);
        Assert.All(await RowsAsync(), r => Assert.NotNull(r.SentAt));

        static BulkPublishResponse<OutboxEnvelope> Answer(params OutboxEnvelope[] failed) =>
            new([.. failed.Select(e => new BulkPublishResponseFailedEntry<OutboxEnvelope>(new BulkPublishEntry<OutboxEnvelope>("1", e, "application/cloudevents+json"), "refused"))]);
    }

    [Fact(Timeout = 300_000)]
    public async Task Events_of_many_keys_go_by_one_call_for_each_topic()
    {
        await EmptyAsync();
        var calls = new ConcurrentQueue<string[]>();
        _broker.Publish = (topic, messages) =>
        {
            Assert.Equal(UserRegistered.Topic, topic);
            calls.Enqueue([.. messages.Select(m => m.PartitionKey)]);
        };
        foreach (var key in new[] { "a", "b", "a" })
            await SaveAsync(key);
        await RunAsync(() => _clock.WaitedForAsync(Pause).WaitAsync(Cancel), _broker);
        Assert.Equal([["a", "b", "a"]], calls);
        Assert.Empty(_published);
        Assert.All(await RowsAsync(), r => Assert.NotNull(r.SentAt));
    }

    [Fact(Timeout = 300_000)]
    public async Task One_event_that_the_broker_refuses_among_many_holds_up_no_other_key()
    {
        await EmptyAsync();
        _broker.Publish = static (_, _) => throw new RpcException(new Status(StatusCode.Internal, "one is too large"));
        PublishWith(envelope => envelope.Subject == "bad" ? throw new InvalidOperationException("Refused.") : Task.CompletedTask);
        foreach (var key in new[] { "bad", "good", "better" })
            await SaveAsync(key);
        await RunAsync(() => _clock.WaitedForAsync(FirstBackOff).WaitAsync(Cancel), _broker);
        Assert.Equal([("bad", false), ("good", true), ("better", true)], (await RowsAsync()).Select(r => (r.PartitionKey, r.SentAt is not null)));
    }

    private void PublishWith(Func<OutboxEnvelope, Task> publish) =>
        _dapr.PublishEventAsync<OutboxEnvelope>(default!, default!, default!, default(Dictionary<string, string>)!, default).ReturnsForAnyArgs(async call =>
        {
            var envelope = call.Arg<OutboxEnvelope>();
            await publish(envelope);
            _published.Enqueue(envelope.Subject!);
        });

    private async Task RunAsync(Func<Task> meanwhile, IBulkBroker? broker = null)
    {
        var services = orders.Services;
        services.GetRequiredService<MigrationState<OrdersDb>>().Complete();
        services.GetRequiredService<OutboxSignal>().Set();
        using var relay = ActivatorUtilities.CreateInstance<OutboxRelay<OrdersDb>>(services, new OutboxPublisher(_dapr, services.GetRequiredService<ServiceName>(), lag: null, broker), _clock);
        await relay.StartAsync(Cancel);
        try
        {
            await meanwhile();
        }
        finally
        {
            await relay.StopAsync(CancellationToken.None);
        }
    }

    /// <summary>Until the relay waits for a signal. One commit may signal twice, which is a look more.</summary>
    private async Task IdleAsync()
    {
        while (true)
        {
            var idle = _clock.WaitedForAsync(Idle);
            await Task.WhenAny(idle, _clock.WaitedForAsync(Pause)).WaitAsync(Cancel);
            if (idle.IsCompleted)
                return;
            _clock.Advance(Pause);
        }
    }

    private Task SaveAsync(string key, Guid? counter = null) =>
        orders.AsAsync<OrdersDb, int>(db =>
        {
            db.Add(new OrderCounter { UserId = counter ?? Guid.NewGuid(), Last = 1 });
            db.Publish(new UserRegistered(key, "Ada", _clock.GetUtcNow()), _clock.GetUtcNow());
            return db.SaveChangesAsync(Cancel);
        });

    private Task EmptyAsync() => orders.AsAsync<OrdersDb, int>(db => db.Set<OutboxMessage>().ExecuteDeleteAsync(Cancel));

    private Task<List<OutboxMessage>> RowsAsync() =>
        orders.AsAsync<OrdersDb, List<OutboxMessage>>(db => db.Set<OutboxMessage>().AsNoTracking().OrderBy(m => m.Id).ToListAsync(Cancel));

    private sealed class FakeBroker : IBulkBroker
    {
        public Action<string, IReadOnlyList<OutboxMessage>> Publish { get; set; } = static (_, _) => { };

        public async Task PublishAsync(string topic, IReadOnlyList<OutboxMessage> messages, CancellationToken cancellationToken)
        {
            await Task.Yield();
            Publish(topic, messages);
        }
    }
}
