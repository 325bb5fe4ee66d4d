using System.Text;
using System.Text.Json;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Orders.Data;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.Services.Tests.Fixtures;
using Google.Protobuf;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using Delivery = Dapr.Proto.Runtime.V1.TopicEventResponse.Types.TopicEventResponseStatus;

namespace DaprPlatform.Services.Tests;

public sealed class InboxTests(OrdersFixture orders) : IClassFixture<OrdersFixture>
{
    private readonly string _id = Guid.NewGuid().ToString();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_delivered_three_times_has_one_effect()
    {
        var (effects, calls) = (await EffectsAsync(), Probe.Calls);
        for (var i = 0; i < 3; i++)
            Assert.Equal(Delivery.Success, await DeliverAsync(Registered("Ada")));
        Assert.Equal(effects + 1, await EffectsAsync());
        Assert.Equal(calls + 1, Probe.Calls);
    }

    [Fact]
    public async Task An_event_delivered_ten_times_at_once_has_one_effect()
    {
        var effects = await EffectsAsync();
        Assert.All(await DatabaseFixture.AtOnceAsync(10, _ => DeliverAsync(Registered("Ada"))), status => Assert.Equal(Delivery.Success, status));
        Assert.Equal(effects + 1, await EffectsAsync());
    }

    [Fact]
    public async Task An_event_whose_handler_fails_is_asked_for_again_and_then_has_its_effect()
    {
        var effects = await EffectsAsync();
        Probe.Fails = true;
        Assert.Equal(Delivery.Retry, await DeliverAsync(Registered("Ada")));
        Probe.Fails = false;
        Assert.Equal(effects, await EffectsAsync());
        Assert.False(await IsKnownAsync());
        Assert.Equal(Delivery.Success, await DeliverAsync(Registered("Ada")));
        Assert.Equal(effects + 1, await EffectsAsync());
        Assert.True(await IsKnownAsync());
    }

    [Fact]
    public async Task An_event_without_effect_is_acknowledged_and_not_remembered()
    {
        Assert.Equal(Delivery.Success, await DeliverAsync(Registered("Nobody")));
        Assert.False(await IsKnownAsync());
    }

    [Fact]
    public async Task An_event_that_is_no_success_says_why()
    {
        Probe.Fails = true;
        var failed = new CallbackCall();
        await DeliverAsync(Registered("Ada"), call: failed);
        Probe.Fails = false;
        Assert.StartsWith("TimeoutException: ", CauseOf(failed), StringComparison.Ordinal);

        var malformed = new CallbackCall();
        await DeliverAsync("{", call: malformed);
        Assert.StartsWith("The data is not that of a UserRegistered", CauseOf(malformed), StringComparison.Ordinal);

        var good = new CallbackCall();
        await DeliverAsync(Registered("Ada"), call: good);
        Assert.Empty(good.ResponseTrailers);

        static string CauseOf(CallbackCall call) => Encoding.UTF8.GetString(call.ResponseTrailers.GetValueBytes("event-cause-bin")!);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"user_id\":\"USR-1\"}")]
    public async Task An_event_that_is_not_what_it_says_is_not_delivered_again(string data)
    {
        var calls = Probe.Calls;
        Assert.Equal(Delivery.Drop, await DeliverAsync(data));
        Assert.Equal(calls, Probe.Calls);
    }

    [Fact]
    public async Task An_event_of_an_unknown_topic_is_dropped() => Assert.Equal(Delivery.Drop, await DeliverAsync(Registered("Ada"), "no_such_topic"));

    private EventProbe Probe => orders.Services.GetRequiredService<EventProbe>();

    private static string Registered(string name) =>
        JsonSerializer.Serialize(new UserRegistered(UserId.New().ToString(), name, DateTimeOffset.UnixEpoch), EventJson.Options);

    private async Task<Delivery> DeliverAsync(string data, string? topic = null, CallbackCall? call = null)
    {
        var request = new TopicEventRequest
        {
            Id = _id,
            Type = "users.v1.registered",
            Source = "users",
            PubsubName = PubSub.Name,
            Topic = topic ?? UserRegistered.Topic,
            Data = ByteString.CopyFromUtf8(data),
        };
        return (await orders.Services.GetRequiredService<AppCallbackService>().OnTopicEvent(request, call ?? new CallbackCall())).Status;
    }

    private Task<int> EffectsAsync() => orders.AsAsync<OrdersDb, int>(db => db.Set<OrderCounter>().CountAsync(Cancel));

    private Task<bool> IsKnownAsync() => orders.AsAsync<OrdersDb, bool>(db => db.Set<InboxMessage>().AnyAsync(m => m.EventId == _id, Cancel));
}
