using System.Net.Http.Json;
using System.Text.Json;
using Dapr;
using Dapr.Client;
using Dapr.Common.Exceptions;
using Dapr.DistributedLock;
using Dapr.Extensions.Configuration;
using Dapr.Jobs;
using Dapr.Jobs.Extensions;
using Dapr.Jobs.Models;
using Dapr.Messaging.PublishSubscribe;
using Grpc.Core;
using Microsoft.Extensions.Configuration;

namespace DaprPlatform.Sdk.Tests.Daprd;

/// <summary>The SDK and the embedded runtime understand each other.</summary>
public sealed class RealSidecarTests(RealSidecar sidecar) : IClassFixture<RealSidecar>
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    DaprClient Client => sidecar.Client;

    async Task<(string Endpoint, Order Order)> Delivery() => await sidecar.Delivered.Reader.ReadAsync(Token);

    [Fact]
    public async Task State_is_saved_read_changed_under_its_etag_and_deleted()
    {
        var order = new Order("s1", 9007199254740993);
        await Client.SaveStateAsync("store", "s1", order);
        var (value, etag) = await Client.GetStateAndETagAsync<Order>("store", "s1");
        Assert.Equal(order, value);

        Assert.True(await Client.TrySaveStateAsync("store", "s1", order with { Cents = 1 }, etag));
        Assert.False(await Client.TrySaveStateAsync("store", "s1", order with { Cents = 2 }, etag));
        Assert.False(await Client.TryDeleteStateAsync("store", "s1", etag));
        var entry = await Client.GetStateEntryAsync<Order>("store", "s1");
        Assert.Equal(1, entry.Value.Cents);
        Assert.True(await entry.TryDeleteAsync());
        Assert.Null(await Client.GetStateAsync<Order>("store", "s1"));
    }

    [Fact]
    public async Task A_transaction_happens_and_a_bulk_read_sees_it()
    {
        await Client.SaveBulkStateAsync("store", [new SaveStateItem<int>("t1", 1, null), new SaveStateItem<int>("t2", 2, null)]);
        await Client.ExecuteStateTransactionAsync(
            "store", [new StateTransactionRequest("t1", "10"u8.ToArray(), StateOperationType.Upsert), new StateTransactionRequest("t2", null, StateOperationType.Delete)]);
        var items = (await Client.GetBulkStateAsync<int>("store", ["t1", "t2"], null)).ToDictionary(i => i.Key, i => i.Value);
        Assert.Equal((10, 0), (items["t1"], items["t2"]));
        await Client.DeleteBulkStateAsync("store", [new BulkDeleteStateItem("t1", null)]);
        Assert.True((await Client.GetByteStateAsync("store", "t1")).IsEmpty);
    }

    [Fact]
    public async Task A_store_that_does_not_exist_is_explained()
    {
        var e = await Assert.ThrowsAsync<DaprException>(() => Client.GetStateAsync<int>("nowhere", "k"));
        Assert.IsType<RpcException>(e.InnerException);
        Assert.True(e.TryGetExtendedErrorInfo(out var info));
        Assert.Contains(info.Details, d => d is DaprErrorInfoDetail { Domain: "dapr.io" });
    }

    [Fact]
    public async Task Events_reach_their_endpoints()
    {
        await Client.PublishEventAsync("pubsub", "orders", new Order("e1", 5));
        Assert.Equal(("orders", new Order("e1", 5)), await Delivery());

        await Client.PublishEventAsync("pubsub", "orders", new CloudEvent<Order>(new Order("e2", 6)) { Type = "placed", Source = new Uri("urn:shop") });
        Assert.Equal(("orders", new Order("e2", 6)), await Delivery());

        await Client.PublishEventAsync("pubsub", "routed", new Order("e3", 101));
        Assert.Equal(("large", new Order("e3", 101)), await Delivery());
        await Client.PublishEventAsync("pubsub", "routed", new Order("e4", 100));
        Assert.Equal(("small", new Order("e4", 100)), await Delivery());

        var failed = await Client.BulkPublishEventAsync("pubsub", "bulk", [new Order("b1", 1), new Order("b2", 2)]);
        Assert.Empty(failed.FailedEntries);
        Assert.Equal(["b1", "b2"], new[] { (await Delivery()).Order.Id, (await Delivery()).Order.Id }.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Events_reach_a_stream_until_it_is_disposed()
    {
        using var pubsub = new DaprPublishSubscribeClientBuilder().UseGrpcEndpoint(sidecar.Process.GrpcEndpoint).Build();
        var seen = new TaskCompletionSource<Order?>();
        var subscription = await pubsub.SubscribeAsync(
            "pubsub", "streamed", new DaprSubscriptionOptions(new MessageHandlingPolicy(TimeSpan.FromSeconds(10), TopicResponseAction.Retry)), (message, _) =>
            {
                seen.TrySetResult(JsonSerializer.Deserialize<Order>(message.Data.Span, JsonSerializerOptions.Web));
                return Task.FromResult(TopicResponseAction.Success);
            },
            Token);
        await Client.PublishEventAsync("pubsub", "streamed", new Order("m1", 7));
        Assert.Equal(new Order("m1", 7), await seen.Task.WaitAsync(Token));
        await subscription.DisposeAsync();

        // The sidecar has let go of the topic: it can be taken again.
        await using var again = await pubsub.SubscribeAsync(
            "pubsub", "streamed", new DaprSubscriptionOptions(new MessageHandlingPolicy(TimeSpan.FromSeconds(10), TopicResponseAction.Retry)), (_, _) => Task.FromResult(TopicResponseAction.Success), Token);
    }

    [Fact]
    public async Task Jobs_reach_the_app_as_often_as_they_say_and_again_when_it_fails()
    {
        using var jobs = new DaprJobsClientBuilder().UseGrpcEndpoint(sidecar.Process.GrpcEndpoint).Build();
        await jobs.ScheduleJobAsync("often", DaprJobSchedule.FromDuration(TimeSpan.FromMilliseconds(200)), "x"u8.ToArray(), repeats: 2, cancellationToken: Token);
        Assert.Equal(("often", "x"), await Job());
        Assert.Equal(("often", "x"), await Job());

        await jobs.ScheduleJobWithPayloadAsync("once", DaprJobSchedule.FromDateTime(DateTimeOffset.UtcNow), new Order("j1", 9), cancellationToken: Token);
        Assert.Equal(("once", """{"id":"j1","cents":9}"""), await Job());

        await jobs.ScheduleJobAsync(
            "flaky", DaprJobSchedule.FromDateTime(DateTimeOffset.UtcNow), failurePolicyOptions: new JobFailurePolicyConstantOptions(TimeSpan.FromMilliseconds(100)) { MaxRetries = 3 }, cancellationToken: Token);
        Assert.Equal(("flaky", ""), await Job());
        Assert.Equal(("flaky", ""), await Job());

        async Task<(string Name, string Payload)> Job() => await sidecar.Jobs.Reader.ReadAsync(Token);
    }

    [Fact]
    public async Task A_job_is_read_kept_replaced_and_deleted()
    {
        using var jobs = new DaprJobsClientBuilder().UseGrpcEndpoint(sidecar.Process.GrpcEndpoint).Build();
        var start = new DateTimeOffset(2090, 1, 2, 3, 4, 5, TimeSpan.Zero);
        await jobs.ScheduleJobAsync("kept", DaprJobSchedule.Daily, "payload"u8.ToArray(), start, repeats: 5, ttl: start.AddDays(30), cancellationToken: Token);
        await Assert.ThrowsAsync<DaprException>(() => jobs.ScheduleJobAsync("kept", DaprJobSchedule.Hourly, cancellationToken: Token));

        var kept = await jobs.GetJobAsync("kept", Token);
        Assert.Equal(("@daily", 5, start, start.AddDays(30)), (kept.Schedule.ExpressionValue, kept.RepeatCount, kept.DueTime, kept.Ttl));
        Assert.Equal("payload"u8.ToArray(), kept.Payload);
        Assert.Equal(new JobFailurePolicyConstantOptions(TimeSpan.FromSeconds(1)) { MaxRetries = 3 }, kept.FailurePolicy);

        await jobs.ScheduleJobAsync("kept", DaprJobSchedule.Hourly, overwrite: true, cancellationToken: Token);
        Assert.Equal("@hourly", (await jobs.GetJobAsync("kept", Token)).Schedule.ExpressionValue);
        await jobs.DeleteJobAsync("kept", Token);
        await Assert.ThrowsAsync<DaprException>(() => jobs.GetJobAsync("kept", Token));
        await Assert.ThrowsAsync<DaprException>(() => jobs.ScheduleJobAsync("bad", DaprJobSchedule.FromExpression("now and then"), cancellationToken: Token));
    }

    [Fact]
    public async Task A_stream_of_an_unknown_component_is_refused()
    {
        using var pubsub = new DaprPublishSubscribeClientBuilder().UseGrpcEndpoint(sidecar.Process.GrpcEndpoint).Build();
        await Assert.ThrowsAsync<DaprException>(() => pubsub.SubscribeAsync(
            "nowhere", "x", new DaprSubscriptionOptions(new MessageHandlingPolicy(TimeSpan.FromSeconds(10), TopicResponseAction.Retry)), (_, _) => Task.FromResult(TopicResponseAction.Success), Token));
    }

    [Fact]
    public async Task An_app_is_called_by_its_id()
    {
        using var http = Client.CreateInvokableHttpClient("Shop");
        using var response = await http.PostAsJsonAsync("/double", new Order("i1", 21), Token);
        Assert.Equal(new Order("i1", 42), await response.Content.ReadFromJsonAsync<Order>(Token));
    }

    [Fact]
    public async Task Secrets_are_read()
    {
        Assert.Equal("pw", (await Client.GetSecretAsync("vault", "db:password"))["db:password"]);
        Assert.Contains("plain", (await Client.GetBulkSecretAsync("vault")).Keys);
    }

    [Fact]
    public async Task Metadata_is_read_and_set()
    {
        var metadata = await Client.GetMetadataAsync();
        Assert.Equal("Shop", metadata.Id);
        Assert.Contains(metadata.Components, c => c.Name == "store" && c.Type == "state.in-memory");
        await Client.SetMetadataAsync("colour", "blue");
        Assert.Equal("blue", (await Client.GetMetadataAsync()).Extended["colour"]);
    }

    [Fact]
    public async Task A_lock_held_by_one_is_not_given_to_another()
    {
        using var locks = new DaprDistributedLockBuilder().UseGrpcEndpoint(sidecar.Process.GrpcEndpoint).Build();
        await using (var mine = await locks.TryLockAsync("locks", "stock", "me", 60))
        {
            Assert.NotNull(mine);
            Assert.Null(await locks.TryLockAsync("locks", "stock", "you", 60));
            Assert.Equal(Dapr.DistributedLock.Models.LockStatus.LockBelongsToOthers, (await locks.TryUnlockAsync("locks", "stock", "you")).Status);
        }

        Assert.Equal(Dapr.DistributedLock.Models.LockStatus.LockDoesNotExist, (await locks.TryUnlockAsync("locks", "stock", "me")).Status);
        await using var again = await Client.Lock("locks", "stock", "you", 60);
        Assert.True(again.Success);
    }

    [Fact]
    public async Task A_changed_item_reaches_configuration_that_follows_it()
    {
        using var http = new HttpClient { BaseAddress = new Uri(sidecar.Process.HttpEndpoint) };
        async Task Set(string value) => (await http.PutAsync(new Uri("/platform/configuration/config/limit?version=1", UriKind.Relative), new StringContent(value), Token)).EnsureSuccessStatusCode();
        await Set("5");
        Assert.Equal("5", (await Client.GetConfiguration("config", ["limit"])).Items["limit"].Value);

        var subscription = await Client.SubscribeConfiguration("config", ["limit"], cancellationToken: Token);
        var changes = subscription.Source.GetAsyncEnumerator(Token);
        Assert.True(await changes.MoveNextAsync());
        Assert.NotEqual("", subscription.Id);

        var configuration = new ConfigurationBuilder()
            .AddDaprConfigurationStore("config", ["limit"], Client, TimeSpan.FromSeconds(30))
            .AddStreamingDaprConfigurationStore("config", ["limit"], Client, TimeSpan.FromSeconds(30))
            .Build();
        Assert.Equal("5", configuration["limit"]);

        await Set("6");
        while (!changes.Current.ContainsKey("limit"))
            Assert.True(await changes.MoveNextAsync());
        Assert.Equal("6", changes.Current["limit"].Value);
        Assert.True((await Client.UnsubscribeConfiguration("config", subscription.Id)).Ok);
        await changes.DisposeAsync();
    }
}
