using DaprPlatform.Contracts.Orders;
using DaprPlatform.Orders.Domain;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.ServiceDefaults.Rpc;
using DaprPlatform.ServiceDefaults.Rpc.Health;
using DaprPlatform.ServiceDefaults.Rpc.Reflection;
using DaprPlatform.Services.Tests.Fixtures;
using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using NSubstitute;
using Xunit;
using Serving = DaprPlatform.ServiceDefaults.Rpc.Health.HealthCheckResponse.Types.ServingStatus;

namespace DaprPlatform.Services.Tests;

/// <summary>What every gRPC service offers besides its own methods.</summary>
public sealed class GrpcFaceTests
{
    private const string Service = "daprplatform.orders.v1.Orders";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_health_of_a_service_that_is_not_there_is_not_found()
    {
        using var app = new ServiceApp<OrderMetrics>();
        using var channel = ChannelOf(app);
        var health = new Health.HealthClient(channel);
        // Neither its database nor its sidecar is behind it.
        Assert.Equal(Serving.NotServing, (await health.CheckAsync(new HealthCheckRequest(), cancellationToken: Cancel)).Status);
        Assert.Equal(Serving.NotServing, (await health.CheckAsync(new HealthCheckRequest { Service = Service }, cancellationToken: Cancel)).Status);
        var refused = await Assert.ThrowsAsync<RpcException>(() => health.CheckAsync(new HealthCheckRequest { Service = "nobody.v1.Nothing" }, cancellationToken: Cancel).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, refused.StatusCode);
    }

    [Fact]
    public async Task Who_watches_the_health_sees_each_change_and_the_stop()
    {
        using var app = new ServiceApp<OrderMetrics>();
        using var channel = ChannelOf(app);
        using var watch = new Health.HealthClient(channel).Watch(new HealthCheckRequest { Service = Service }, cancellationToken: Cancel);
        var state = app.Services.GetRequiredService<ServingState>();
        Assert.Equal(Serving.NotServing, await NextAsync(watch.ResponseStream));
        await state.PublishAsync(new HealthReport(new Dictionary<string, HealthReportEntry>(), HealthStatus.Healthy, TimeSpan.Zero), Cancel);
        Assert.Equal(Serving.Serving, await NextAsync(watch.ResponseStream));

        app.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        Assert.Equal(Serving.NotServing, await NextAsync(watch.ResponseStream));
        // A check that was under way when the stop came changes nothing.
        await state.PublishAsync(new HealthReport(new Dictionary<string, HealthReportEntry>(), HealthStatus.Healthy, TimeSpan.Zero), Cancel);
        Assert.Equal(Serving.NotServing, state.Current.Status);
    }

    [Fact]
    public async Task A_stopping_service_says_at_once_that_it_is_not_ready()
    {
        using var app = new ServiceApp<OrderMetrics>();
        using var client = app.ClientOf(null);
        // Found before the stop: the container goes with the host, as soon as that has ended.
        var registration = app.Services.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations.Single(r => r.Name == "stopping");
        var check = registration.Factory(app.Services);
        var context = new HealthCheckContext { Registration = registration };
        Assert.Equal(HealthStatus.Healthy, (await check.CheckHealthAsync(context, Cancel)).Status);
        app.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        var report = await check.CheckHealthAsync(context, Cancel);
        Assert.Equal(HealthStatus.Unhealthy, report.Status);
    }

    [Fact]
    public async Task Reflection_tells_the_services_and_the_files_that_describe_them()
    {
        using var app = new ServiceApp<OrderMetrics>(("GRPC_REFLECTION", "true"));
        using var channel = ChannelOf(app);
        using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: Cancel);

        var services = (await AskAsync(call, new ServerReflectionRequest { ListServices = "" })).ListServicesResponse.Service.Select(s => s.Name).ToList();
        Assert.Contains(Service, services);
        Assert.Contains("grpc.health.v1.Health", services);

        foreach (var symbol in new[] { Service, Service + ".PlaceOrder", "daprplatform.orders.v1.Order.total_minor" })
        {
            var files = (await AskAsync(call, new ServerReflectionRequest { FileContainingSymbol = symbol })).FileDescriptorResponse.FileDescriptorProto
                .Select(FileDescriptorProto.Parser.ParseFrom).ToList();
            Assert.Equal("orders.proto", files[0].Name);
            Assert.Contains("Orders", files[0].Service.Select(s => s.Name));
            // Whatever it imports comes with it.
            Assert.All(files.SelectMany(f => f.Dependency), d => Assert.Contains(d, files.Select(f => f.Name)));
        }

        Assert.NotNull((await AskAsync(call, new ServerReflectionRequest { FileByFilename = "common.proto" })).FileDescriptorResponse);
        Assert.Empty((await AskAsync(call, new ServerReflectionRequest { AllExtensionNumbersOfType = "daprplatform.orders.v1.Order" })).AllExtensionNumbersResponse.ExtensionNumber);
        foreach (var unknown in new[] { new ServerReflectionRequest { FileContainingSymbol = "no.Such" }, new ServerReflectionRequest { FileByFilename = "no.proto" } })
            Assert.Equal((int)StatusCode.NotFound, (await AskAsync(call, unknown)).ErrorResponse.ErrorCode);
        await call.RequestStream.CompleteAsync();
    }

    [Fact]
    public async Task Without_the_setting_there_is_no_reflection()
    {
        using var app = new ServiceApp<OrderMetrics>();
        using var channel = ChannelOf(app);
        using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: Cancel);
        Assert.Equal(StatusCode.Unimplemented, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancel))).StatusCode);
    }

    [Fact]
    public void A_refusal_is_a_rich_status_that_any_client_can_read()
    {
        var problem = new ProblemException(400, "validation", "The request is invalid", "items is wrong")
        {
            RetryAfterSeconds = 3,
            Extensions = new Dictionary<string, string> { ["hint"] = "less" },
            Errors = new Dictionary<string, string[]> { ["items"] = ["must have entries", "must be a list"] },
        };
        var exception = RpcProblems.ToRpc(problem);
        var status = Google.Rpc.Status.Parser.ParseFrom(exception.Trailers.GetValueBytes("grpc-status-details-bin"));

        Assert.Equal((int)exception.StatusCode, status.Code);
        var info = status.Details.Single(d => d.Is(ErrorInfo.Descriptor)).Unpack<ErrorInfo>();
        Assert.Equal(("validation", "daprplatform", "less"), (info.Reason, info.Domain, info.Metadata["hint"]));
        Assert.Equal(3, status.Details.Single(d => d.Is(RetryInfo.Descriptor)).Unpack<RetryInfo>().RetryDelay.Seconds);
        Assert.Equal(
            [("items", "must have entries"), ("items", "must be a list")],
            status.Details.Single(d => d.Is(BadRequest.Descriptor)).Unpack<BadRequest>().FieldViolations.Select(v => (v.Field, v.Description)));
    }

    [Fact]
    public void Every_call_to_another_service_has_a_deadline()
    {
        var clock = new ManualTime();
        var invoker = Substitute.For<CallInvoker>();
        var orders = new Contracts.Orders.Orders.OrdersClient(invoker.Intercept(new CallDefaults(Substitute.For<IHttpContextAccessor>(), clock)));

        orders.GetOrderAsync(new GetOrderRequest(), cancellationToken: Cancel);
        orders.GetOrderAsync(new GetOrderRequest(), deadline: DateTime.UnixEpoch, cancellationToken: Cancel);

        var deadlines = invoker.ReceivedCalls().Select(c => c.GetArguments().OfType<CallOptions>().Single().Deadline).ToList();
        Assert.Equal([clock.GetUtcNow().UtcDateTime + TimeSpan.FromSeconds(10), DateTime.UnixEpoch], deadlines);
    }

    private static async Task<ServerReflectionResponse> AskAsync(AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> call, ServerReflectionRequest request)
    {
        await call.RequestStream.WriteAsync(request, Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));
        return call.ResponseStream.Current;
    }

    private static async Task<Serving> NextAsync(IAsyncStreamReader<HealthCheckResponse> stream)
    {
        Assert.True(await stream.MoveNext(Cancel));
        return stream.Current.Status;
    }

    private static GrpcChannel ChannelOf(ServiceApp<OrderMetrics> app) =>
        GrpcChannel.ForAddress(app.Server.BaseAddress, new GrpcChannelOptions { HttpHandler = app.Server.CreateHandler() });
}
