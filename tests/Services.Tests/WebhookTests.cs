using System.Text.Json;
using System.Text.Json.Nodes;
using Dapr.Jobs;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Common;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Webhooks;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Services.Tests.Fixtures;
using DaprPlatform.Webhooks.Data;
using DaprPlatform.Webhooks.Domain;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;
using Xunit;
using Told = Dapr.Proto.Runtime.V1.TopicEventResponse.Types.TopicEventResponseStatus;

namespace DaprPlatform.Services.Tests;

public sealed class WebhookTests(WebhooksFixture webhooks) : IClassFixture<WebhooksFixture>
{
    private readonly UserId _user = UserId.New();
    private readonly string _url = $"https://shop-{Guid.NewGuid():N}.example/hook";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_told_three_times_is_delivered_once_and_signed()
    {
        var created = await CreateAsync();
        for (var i = 0; i < 3; i++)
            Assert.Equal(Told.Success, await TellAsync(Confirmed(_user), "event-1"));
        await DeliverAsync();
        await DeliverAsync();
        var sent = Assert.Single(webhooks.Receiver.At(_url));
        Assert.Equal(SignatureOf(sent, created.Secret), sent.Signature);
        var body = JsonNode.Parse(sent.Body)!;
        Assert.Equal(("event-1", "orders.v1.confirmed", "CONFIRMED"), ((string?)body["id"], (string?)body["type"], (string?)body["data"]!["status"]));
        var delivery = Assert.Single((await LogAsync(created.Webhook.Id)).Deliveries);
        Assert.Equal(("DELIVERED", 1, 200, sent.Id), (delivery.Status, delivery.Attempts, delivery.ResponseStatus, delivery.Id));
    }

    [Fact]
    public async Task Nobody_is_told_of_somebody_elses_orders_or_of_what_was_not_asked_for()
    {
        await CreateAsync(events: "orders.v1.shipped");
        await TellAsync(Confirmed(UserId.New()));
        await TellAsync(Confirmed(_user));
        await TellAsync(new CompensationFailed("ORD-1", _user.ToString(), "ORD-1", "orders", ["Restock: down"], webhooks.Clock.GetUtcNow()));
        await DeliverAsync();
        Assert.Empty(webhooks.Receiver.At(_url));
    }

    [Fact]
    public async Task Only_an_operator_may_listen_to_all_and_hears_what_failed_inside()
    {
        Assert.Equal(403, (await RefusedAsync(() => CreateAsync(allUsers: true))).Status);
        await CreateAsync(allUsers: true, role: Roles.Operator);
        await TellAsync(Confirmed(UserId.New()));
        await TellAsync(new CompensationFailed("ORD-1", UserId.New().ToString(), "ORD-1", "orders", ["Restock: down"], webhooks.Clock.GetUtcNow()));
        await DeliverAsync();
        Assert.Equal(["orders.v1.compensation_failed", "orders.v1.confirmed"], webhooks.Receiver.At(_url).Select(s => (string?)JsonNode.Parse(s.Body)!["type"]).Order());
        await webhooks.AsAsync<WebhooksDb, int>(db => db.Webhooks.Where(w => w.UserId == _user.Value).ExecuteDeleteAsync(Cancel));
    }

    [Fact]
    public async Task What_fails_is_attempted_again_ever_later_each_time_with_a_job_and_given_up_at_last()
    {
        var id = (await CreateAsync()).Webhook.Id;
        webhooks.Receiver.Answers[_url] = new Attempt(500, "answered 500");
        await TellAsync(Confirmed(_user));
        var waits = new List<TimeSpan>();
        for (var attempt = 1; attempt < WebhookOptions.MaxAttempts; attempt++)
        {
            await DeliverAsync();
            var pending = Assert.Single((await LogAsync(id)).Deliveries);
            Assert.Equal(("PENDING", attempt, 500, "answered 500"), (pending.Status, pending.Attempts, pending.ResponseStatus, pending.Error));
            Assert.Contains(webhooks.Jobs.ReceivedCalls(), c => c.GetMethodInfo().Name == nameof(DaprJobsClient.ScheduleJobAsync) && (string)c.GetArguments()[0]! == Courier.JobPrefix + pending.Id);
            var wait = pending.NextAttemptAt.ToDateTimeOffset() - webhooks.Clock.GetUtcNow();
            waits.Add(wait);
            // Not before it is due.
            webhooks.Clock.Advance(wait - TimeSpan.FromMilliseconds(1));
            await DeliverAsync();
            Assert.Equal(attempt, webhooks.Receiver.At(_url).Count);
            webhooks.Clock.Advance(TimeSpan.FromMilliseconds(1));
        }
        await DeliverAsync();
        var failed = Assert.Single((await LogAsync(id, "FAILED")).Deliveries);
        Assert.Equal(WebhookOptions.MaxAttempts, failed.Attempts);
        Assert.Equal(waits.Order(), waits);
        Assert.Single(webhooks.Receiver.At(_url).Select(s => s.Id).Distinct());

        webhooks.Receiver.Answers.Clear();
        Assert.Equal("PENDING", (await RetryAsync(id, failed.Id)).Status);
        await DeliverAsync();
        Assert.Equal("DELIVERED", Assert.Single((await LogAsync(id)).Deliveries).Status);
        Assert.Equal("already-delivered", (await RefusedAsync(() => RetryAsync(id, failed.Id))).Code);
    }

    [Fact]
    public async Task Eight_couriers_at_once_make_one_attempt()
    {
        await CreateAsync();
        await TellAsync(Confirmed(_user));
        await DatabaseFixture.AtOnceAsync(8, async _ =>
        {
            await DeliverAsync();
            return 0;
        });
        Assert.Single(webhooks.Receiver.At(_url));
    }

    [Fact]
    public async Task An_attempt_whose_process_died_is_made_again_when_its_lease_ends()
    {
        await CreateAsync();
        await TellAsync(Confirmed(_user));
        // As a courier leaves it that claimed the delivery and was heard of no more.
        await webhooks.AsAsync<WebhooksDb, int>(db => db.Deliveries.Where(d => d.Status == DeliveryStatus.Pending).ExecuteUpdateAsync(
            set => set.SetProperty(d => d.Attempts, 1).SetProperty(d => d.NextAttemptAt, webhooks.Clock.GetUtcNow() + WebhookOptions.Lease), Cancel));
        await DeliverAsync();
        Assert.Empty(webhooks.Receiver.At(_url));
        webhooks.Clock.Advance(WebhookOptions.Lease);
        await DeliverAsync();
        Assert.Single(webhooks.Receiver.At(_url));
    }

    [Fact]
    public async Task A_receiver_that_is_gone_is_not_asked_again()
    {
        var id = (await CreateAsync()).Webhook.Id;
        webhooks.Receiver.Answers[_url] = new Attempt(410, "answered 410");
        await TellAsync(Confirmed(_user));
        await DeliverAsync();
        Assert.Equal("FAILED", Assert.Single((await LogAsync(id)).Deliveries).Status);
        Assert.False((await GetAsync(id, _user)).Active);
        await TellAsync(Confirmed(_user));
        await DeliverAsync();
        Assert.Single(webhooks.Receiver.At(_url));
    }

    [Fact]
    public async Task A_rotated_secret_signs_beside_the_one_before_for_a_day()
    {
        var created = await CreateAsync();
        var rotated = await webhooks.AsAsync<WebhookBook, RotateSecretResponse>(_user, book => book.RotateSecretAsync(new RotateSecretRequest { WebhookId = created.Webhook.Id }, Cancel));
        Assert.NotEqual(created.Secret, rotated.Secret);
        Assert.Equal(webhooks.Clock.GetUtcNow() + WebhookOptions.Grace, rotated.PreviousValidUntil.ToDateTimeOffset());
        await PingAsync(created.Webhook.Id);
        await DeliverAsync();
        var sent = webhooks.Receiver.At(_url)[0];
        Assert.Equal($"{SignatureOf(sent, rotated.Secret)} {SignatureOf(sent, created.Secret)}", sent.Signature);
        webhooks.Clock.Advance(WebhookOptions.Grace);
        await PingAsync(created.Webhook.Id);
        await DeliverAsync();
        sent = webhooks.Receiver.At(_url)[1];
        Assert.Equal(SignatureOf(sent, rotated.Secret), sent.Signature);
    }

    [Fact]
    public async Task A_webhook_is_its_owners_alone_and_an_operator_sees_and_removes_it_but_gets_no_secret()
    {
        var id = (await CreateAsync()).Webhook.Id;
        var stranger = UserId.New();
        var calls = new Func<UserId, string, Task>[]
        {
            (user, role) => GetAsync(id, user, role),
            (user, role) => webhooks.AsAsync<WebhookBook, Webhook>(user, b => b.UpdateWebhookAsync(new UpdateWebhookRequest { WebhookId = id, Url = _url, Active = true }, Cancel), role),
            (user, role) => webhooks.AsAsync<WebhookBook, RotateSecretResponse>(user, b => b.RotateSecretAsync(new RotateSecretRequest { WebhookId = id }, Cancel), role),
            (user, role) => webhooks.AsAsync<WebhookBook, Delivery>(user, b => b.PingAsync(new PingRequest { WebhookId = id }, Cancel), role),
            (user, role) => webhooks.AsAsync<WebhookBook, ListDeliveriesResponse>(user, b => b.ListDeliveriesAsync(new ListDeliveriesRequest { WebhookId = id }, Cancel), role),
            (user, role) => webhooks.AsAsync<WebhookBook, Google.Protobuf.WellKnownTypes.Empty>(user, b => b.DeleteWebhookAsync(new DeleteWebhookRequest { WebhookId = id }, Cancel), role),
        };
        foreach (var call in calls)
            Assert.Equal("webhook-not-found", (await RefusedAsync(() => call(stranger, Roles.Customer))).Code);
        foreach (var owners in calls[1..4])
            Assert.Equal("webhook-not-found", (await RefusedAsync(() => owners(stranger, Roles.Operator))).Code);
        await calls[0](stranger, Roles.Operator);
        await calls[4](stranger, Roles.Admin);
        await calls[5](stranger, Roles.Operator);
        Assert.Equal("webhook-not-found", (await RefusedAsync(() => GetAsync(id, _user))).Code);
    }

    [Fact]
    public async Task A_user_has_ten_webhooks_however_many_are_asked_for_at_once()
    {
        var made = await DatabaseFixture.AtOnceAsync(14, async _ =>
        {
            try
            {
                await CreateAsync();
                return true;
            }
            catch (ProblemException e) when (e.Code == "too-many-webhooks")
            {
                return false;
            }
        });
        Assert.Equal(WebhookOptions.MaxPerUser, made.Count(m => m));
    }

    [Theory]
    [InlineData("")]
    [InlineData("shop.example/hook")]
    [InlineData("ftp://shop.example/")]
    [InlineData("http://shop.example/")]
    [InlineData("https://user:secret@shop.example/")]
    [InlineData("https://localhost/")]
    [InlineData("https://printer/")]
    [InlineData("https://db.internal/")]
    [InlineData("https://127.0.0.1/")]
    [InlineData("https://2130706433/")]
    [InlineData("https://0x7f.1/")]
    [InlineData("https://[::1]/")]
    [InlineData("https://[::ffff:10.0.0.1]/")]
    [InlineData("https://169.254.169.254/latest/meta-data")]
    public async Task An_address_that_leads_inside_is_refused(string url)
    {
        var problem = await RefusedAsync(() => webhooks.AsAsync<WebhookBook, CreateWebhookResponse>(_user, b => b.CreateWebhookAsync(new CreateWebhookRequest { Url = url }, Cancel)));
        Assert.Equal(400, problem.Status);
        Assert.True(problem.Errors.ContainsKey("url"));
    }

    [Fact]
    public async Task An_event_that_does_not_exist_cannot_be_asked_for() =>
        Assert.True((await RefusedAsync(() => CreateAsync(events: "orders.v1.lost"))).Errors.ContainsKey("events"));

    [Fact]
    public async Task The_log_is_paged_newest_first()
    {
        var id = (await CreateAsync()).Webhook.Id;
        for (var i = 0; i < 5; i++)
        {
            await TellAsync(Confirmed(_user));
            webhooks.Clock.Advance(TimeSpan.FromSeconds(1));
        }
        var (seen, cursor) = (new List<string>(), "");
        do
        {
            var page = await LogAsync(id, page: new PageRequest { Limit = 2, Cursor = cursor });
            Assert.Equal(5, page.Page.Total);
            seen.AddRange(page.Deliveries.Select(d => d.Id));
            cursor = page.Page.NextCursor;
        }
        while (cursor.Length > 0);
        Assert.Equal(5, seen.Distinct().Count());
        Assert.Equal(seen.OrderDescending(StringComparer.Ordinal), seen);
        Assert.Equal(400, (await RefusedAsync(() => LogAsync(id, "LOST"))).Status);
    }

    private Task<CreateWebhookResponse> CreateAsync(bool allUsers = false, string role = Roles.Customer, params string[] events)
    {
        var request = new CreateWebhookRequest { Url = _url, AllUsers = allUsers };
        request.Events.AddRange(events);
        return webhooks.AsAsync<WebhookBook, CreateWebhookResponse>(_user, book => book.CreateWebhookAsync(request, Cancel), role);
    }

    private Task<CreateWebhookResponse> CreateAsync(string events) => CreateAsync(false, Roles.Customer, events);

    private Task<Webhook> GetAsync(string id, UserId user, string role = Roles.Customer) =>
        webhooks.AsAsync<WebhookBook, Webhook>(user, book => book.GetWebhookAsync(new GetWebhookRequest { WebhookId = id }, Cancel), role);

    private Task<Delivery> PingAsync(string id) => webhooks.AsAsync<WebhookBook, Delivery>(_user, book => book.PingAsync(new PingRequest { WebhookId = id }, Cancel));

    private Task<Delivery> RetryAsync(string id, string delivery) =>
        webhooks.AsAsync<WebhookBook, Delivery>(_user, book => book.RetryDeliveryAsync(new RetryDeliveryRequest { WebhookId = id, DeliveryId = delivery }, Cancel));

    private Task<ListDeliveriesResponse> LogAsync(string id, string status = "", PageRequest? page = null) =>
        webhooks.AsAsync<WebhookBook, ListDeliveriesResponse>(
            _user, book => book.ListDeliveriesAsync(new ListDeliveriesRequest { WebhookId = id, Status = status, Page = page ?? new PageRequest() }, Cancel));

    private Task DeliverAsync() => webhooks.Services.GetRequiredService<Courier>().DeliverDueAsync(Cancel);

    private OrderStatusChanged Confirmed(UserId user) =>
        new(OrderId.New().ToString(), user.ToString(), 1, "CONFIRMED", "PENDING", null, 1599, "USD", webhooks.Clock.GetUtcNow());

    private async Task<Told> TellAsync<TEvent>(TEvent told, string? id = null)
        where TEvent : IIntegrationEvent
    {
        var request = new TopicEventRequest
        {
            Id = id ?? Guid.NewGuid().ToString(),
            Type = told.CloudEventType,
            Source = "orders",
            PubsubName = PubSub.Name,
            Topic = TEvent.Topic,
            Data = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(told, EventJson.Options)),
        };
        return (await webhooks.Services.GetRequiredService<AppCallbackService>().OnTopicEvent(request, new CallbackCall())).Status;
    }

    private static string SignatureOf(SignedBody sent, string secret) => WebhookSignature.Sign(sent.Id, sent.At, sent.Body, [Convert.FromBase64String(secret["whsec_".Length..])]);

    private static Task<ProblemException> RefusedAsync(Func<Task> call) => Assert.ThrowsAsync<ProblemException>(call);
}
