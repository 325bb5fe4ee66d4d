using System.Text;
using Dapr;
using Dapr.Jobs;
using Dapr.Jobs.Extensions;
using Dapr.Jobs.Models;
using DaprPlatform.Sdk.Tests.AspNetCore;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Wire = Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sdk.Tests.Packages;

public sealed class JobsTests : SidecarTest
{
    static readonly DateTimeOffset Start = new(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);

    DaprJobsClient Jobs() => new DaprJobsClientBuilder().UseGrpcEndpoint(Sidecar.GrpcEndpoint).UseDaprApiToken("secret").Build();

    [Fact]
    public async Task A_job_carries_all_that_was_said()
    {
        using var jobs = Jobs();
        await jobs.ScheduleJobAsync(
            "clean", DaprJobSchedule.FromExpression("0 30 * * * *"), Encoding.UTF8.GetBytes("raw"), Start, 3, Start.AddDays(1), true, new JobFailurePolicyConstantOptions(TimeSpan.FromSeconds(2)) { MaxRetries = 4 });

        var request = Sidecar.Single<Wire.ScheduleJobRequest>();
        Assert.True(request.Overwrite);
        Assert.Equal(("clean", "0 30 * * * *", 3u), (request.Job.Name, request.Job.Schedule, request.Job.Repeats));
        Assert.Equal(("2030-01-02T03:04:05.0000000+00:00", "2030-01-03T03:04:05.0000000+00:00"), (request.Job.DueTime, request.Job.Ttl));
        Assert.Equal(("dapr.io/schedule/jobpayload", "raw"), (request.Job.Data.TypeUrl, request.Job.Data.Value.ToStringUtf8()));
        Assert.Equal((TimeSpan.FromSeconds(2), 4u), (request.Job.FailurePolicy.Constant.Interval.ToTimeSpan(), request.Job.FailurePolicy.Constant.MaxRetries));
        Assert.Equal("secret", Assert.Single(Sidecar.Grpc).Headers.GetValue("dapr-api-token"));
    }

    [Fact]
    public async Task What_was_not_said_is_not_sent()
    {
        using var jobs = Jobs();
        await jobs.ScheduleJobAsync("once", DaprJobSchedule.FromDateTime(Start), failurePolicyOptions: new JobFailurePolicyDropOptions());
        Assert.Equal("""{ "job": { "name": "once", "dueTime": "2030-01-02T03:04:05.0000000+00:00", "failurePolicy": { "drop": { } } } }""", Sidecar.Single<Wire.ScheduleJobRequest>().ToString());
    }

    [Theory]
    [InlineData(90, "@every 1m30s")]
    [InlineData(86400 * 2 + 1, "@every 48h1s")]
    [InlineData(0.25, "@every 250ms")]
    public void A_duration_is_spelt_in_hours_and_less(double seconds, string expression) =>
        Assert.Equal(expression, DaprJobSchedule.FromDuration(TimeSpan.FromSeconds(seconds)).ExpressionValue);

    [Theory]
    [InlineData("@daily", false)]
    [InlineData("0 15 3 * * TUE", false)]
    [InlineData("@every 1h", false)]
    [InlineData("2030-01-02T03:04:05Z", true)]
    public void An_expression_may_be_a_point_in_time(string expression, bool pointInTime) =>
        Assert.Equal(pointInTime, DaprJobSchedule.FromExpression(expression).IsPointInTimeExpression);

    [Fact]
    public async Task A_job_that_can_never_be_due_is_refused_here()
    {
        using var jobs = Jobs();
        await Assert.ThrowsAsync<ArgumentException>(() => jobs.ScheduleJobAsync("x", DaprJobSchedule.Daily, startingFrom: Start, ttl: Start));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => jobs.ScheduleJobAsync("x", DaprJobSchedule.Daily, repeats: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => DaprJobSchedule.FromDuration(TimeSpan.Zero));
        Assert.Empty(Sidecar.Grpc);
    }

    [Fact]
    public async Task Payloads_may_be_JSON_or_text()
    {
        using var jobs = Jobs();
        await jobs.ScheduleJobWithPayloadAsync("a", DaprJobSchedule.Hourly, new { OrderId = 5 });
        await jobs.ScheduleJobWithPayloadAsync("b", DaprJobSchedule.Hourly, "text");
        Assert.Equal(["""{"orderId":5}""", "text"], Sidecar.Grpc.Select(c => ((Wire.ScheduleJobRequest)c.Request).Job.Data.Value.ToStringUtf8()));
    }

    [Fact]
    public async Task A_job_can_be_read_back()
    {
        Sidecar.Answer("GetJob", new Wire.GetJobResponse
        {
            Job = new Wire.Job
            {
                Name = "clean", Schedule = "@daily", Repeats = 2, DueTime = "2030-01-02T03:04:05Z", Ttl = "1h", Data = new Any { Value = ByteString.CopyFromUtf8("x") },
                FailurePolicy = new() { Constant = new() { Interval = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) } },
            },
        });
        using var jobs = Jobs();
        var job = await jobs.GetJobAsync("clean");
        Assert.Equal(("@daily", 2, (DateTimeOffset?)Start, null), (job.Schedule.ExpressionValue, job.RepeatCount, job.DueTime, job.Ttl));
        Assert.Equal("x"u8.ToArray(), job.Payload);
        Assert.Equal(new JobFailurePolicyConstantOptions(TimeSpan.FromSeconds(1)), job.FailurePolicy);
        await jobs.DeleteJobAsync("clean");
        Assert.Equal(["GetJob", "DeleteJob"], Sidecar.Grpc.Select(c => c.Method));
    }

    [Fact]
    public async Task An_older_sidecar_is_asked_by_the_alpha_name()
    {
        Sidecar.Refuse("ScheduleJob", StatusCode.Unimplemented);
        using var jobs = Jobs();
        await jobs.ScheduleJobAsync("x", DaprJobSchedule.Daily);
        Assert.Equal(["ScheduleJob", "ScheduleJobAlpha1"], Sidecar.Grpc.Select(c => c.Method));
    }

    [Fact]
    public async Task A_refusal_is_a_DaprException()
    {
        Sidecar.Refuse("GetJob", StatusCode.NotFound);
        using var jobs = Jobs();
        var e = await Assert.ThrowsAsync<DaprException>(() => jobs.GetJobAsync("x"));
        Assert.IsType<RpcException>(e.InnerException);
    }

    [Fact]
    public async Task A_due_job_reaches_its_handler_with_its_name_payload_and_services()
    {
        var seen = new TaskCompletionSource<string>();
        await using var app = await TestApp.StartAsync(
            a => a.MapDaprScheduledJobHandler(async (string name, ReadOnlyMemory<byte> payload, StringBuilder service, CancellationToken token) =>
            {
                await Task.Yield();
                seen.SetResult($"{name} {Encoding.UTF8.GetString(payload.Span)} {service} {token.CanBeCanceled}");
            }),
            b => b.Services.AddSingleton(new StringBuilder("service")));
        using var response = await app.Post("/job/clean", "data", "application/json");
        Assert.Equal(System.Net.HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("clean data service True", await seen.Task);
    }

    [Fact]
    public async Task A_handler_that_throws_makes_the_sidecar_try_again()
    {
        await using var app = await TestApp.StartAsync(a => a.MapDaprScheduledJobHandler((Action<string>)(name => throw new InvalidOperationException(name))));
        using var response = await app.Post("/job/clean", "", "application/json");
        Assert.Equal(System.Net.HttpStatusCode.InternalServerError, response.StatusCode);
    }

    [Fact]
    public async Task A_handler_is_told_when_its_time_is_up()
    {
        await using var app = await TestApp.StartAsync(a => a.MapDaprScheduledJobHandler(
            (Func<CancellationToken, ValueTask<int>>)(async token =>
            {
                await Task.Delay(Timeout.Infinite, token);
                return 0;
            }),
            TimeSpan.FromMilliseconds(20)));
        using var response = await app.Post("/job/clean", "", "application/json");
        Assert.Equal(System.Net.HttpStatusCode.InternalServerError, response.StatusCode);
    }

    [Fact]
    public async Task A_client_is_registered_once()
    {
        var services = new ServiceCollection();
        Assert.Same(services, services.AddDaprJobsClient((_, b) => b.UseGrpcEndpoint(Sidecar.GrpcEndpoint)).Services);
        await using var provider = services.BuildServiceProvider();
        await provider.GetRequiredService<DaprJobsClient>().DeleteJobAsync("x");
        Assert.Same(provider.GetRequiredService<DaprJobsClient>(), provider.GetRequiredService<DaprJobsClient>());
    }
}
