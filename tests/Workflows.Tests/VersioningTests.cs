using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Dapr.Workflow;
using DaprPlatform.Contracts;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Workflows.Activities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace DaprPlatform.Workflows.Tests;

/// <summary>The order workflow on a real sidecar, begun by a worker with its first version and finished by one that has the second.</summary>
public sealed class VersioningTests : IAsyncLifetime
{
    private const string Fraud = "CheckFraud";
    private static readonly string[] FirstSteps =
        [nameof(ValidateOrder), nameof(ReserveStock), nameof(HoldStock), nameof(AuthorizePayment), nameof(CommitStock), nameof(ConfirmOrder)];
    private readonly string _folder = Directory.CreateTempSubdirectory("workflow-versions-").FullName;
    private readonly ConcurrentQueue<(string Order, string Step)> _calls = new();
    private readonly int _port = FreePort();
    private Engine? _engine;
    private DaprSidecar? _sidecar;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "store.yaml"), """
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata:
              name: store
            spec:
              type: state.in-memory
              version: v1
              metadata:
              - name: actorStateStore
                value: "true"
            """, Cancel);
        _engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = Path.Combine(_folder, "engine") }, Cancel);
        _sidecar = new DaprSidecar(_engine, new SidecarOptions
        {
            AppId = "versions",
            GrpcPort = _port,
            HttpPort = FreePort(),
            ListenAddresses = ["127.0.0.1"],
            EnableMetrics = false,
            PlacementHostAddress = "inside",
            SchedulerHostAddress = "inside",
            ResourcesPaths = [_folder],
        });
        await _sidecar.StartAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (_sidecar is not null)
            await _sidecar.DisposeAsync();
        if (_engine is not null)
            await _engine.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact(Timeout = 300_000)]
    public async Task An_order_begun_on_the_first_version_finishes_on_code_that_has_the_second()
    {
        using (var first = await WorkerAsync(static options => options.RegisterWorkflow<OrderWorkflow>()))
        {
            await BeginAsync(first, "ORD-old");
            await first.StopAsync(Cancel);
        }

        using var second = await WorkerAsync(static options => options.RegisterWorkflow<SecondVersion>(nameof(OrderWorkflow)));
        await BeginAsync(second, "ORD-new");
        Assert.Equal(OrderResult.Confirmed, await FinishAsync(second, "ORD-old"));
        Assert.Equal(OrderResult.Confirmed, await FinishAsync(second, "ORD-new"));

        Assert.Equal(FirstSteps, StepsOf("ORD-old"));
        Assert.Equal([Fraud, .. FirstSteps], StepsOf("ORD-new"));
        await second.StopAsync(Cancel);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_change_that_nothing_guards_is_found_out_before_it_does_anything()
    {
        using (var first = await WorkerAsync(static options => options.RegisterWorkflow<OrderWorkflow>()))
        {
            await BeginAsync(first, "ORD-broken");
            await first.StopAsync(Cancel);
        }

        using var second = await WorkerAsync(static options => options.RegisterWorkflow<Unguarded>(nameof(OrderWorkflow)));
        var client = second.Services.GetRequiredService<DaprWorkflowClient>();
        await client.RaiseEventAsync("ORD-broken", OrderEvents.Approval, new ApprovalDecision(Approved: true), Cancel);
        var state = await client.WaitForWorkflowCompletionAsync("ORD-broken", cancellation: Cancel);

        Assert.Equal(WorkflowRuntimeStatus.Failed, state.RuntimeStatus);
        Assert.Contains(nameof(WorkflowContext.IsPatched), state.FailureDetails!.ErrorMessage, StringComparison.Ordinal);
        Assert.Equal([nameof(ValidateOrder), nameof(ReserveStock)], StepsOf("ORD-broken"));
        await second.StopAsync(Cancel);
    }

    /// <summary>Starts an order and returns when it waits for an operator.</summary>
    private static async Task BeginAsync(IHost worker, string order)
    {
        var client = worker.Services.GetRequiredService<DaprWorkflowClient>();
        await client.ScheduleNewWorkflowAsync(nameof(OrderWorkflow), order, new OrderPlaced(order));
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while ((await client.GetWorkflowStateAsync(order, cancellation: Cancel)).ReadCustomStatusAs<string>() != "AwaitApproval")
            await interval.WaitForNextTickAsync(Cancel);
    }

    private static async Task<string> FinishAsync(IHost worker, string order)
    {
        var client = worker.Services.GetRequiredService<DaprWorkflowClient>();
        await client.RaiseEventAsync(order, OrderEvents.Approval, new ApprovalDecision(Approved: true), Cancel);
        return (await client.WaitForWorkflowCompletionAsync(order, cancellation: Cancel)).ReadOutputAs<OrderResult>()!.Status;
    }

    private IEnumerable<string> StepsOf(string order) => _calls.Where(c => c.Order == order).Select(c => c.Step);

    /// <summary>A worker as a deployment has it: the workflow in one version, and activities that write down their calls.</summary>
    private async Task<IHost> WorkerAsync(Action<WorkflowRuntimeOptions> register)
    {
        var builder = Host.CreateApplicationBuilder([]);
        builder.Logging.ClearProviders();
        builder.Configuration["DAPR_GRPC_PORT"] = _port.ToString(CultureInfo.InvariantCulture);
        builder.Services.AddDaprWorkflow(options =>
        {
            register(options);
            Answer<string, Validation>(options, nameof(ValidateOrder), static order => order, new Validation(ApprovalTimeoutSeconds: 3600));
            Answer<ReserveInput, StepResult>(options, nameof(ReserveStock), static input => input.OrderId, new StepResult());
            Answer<ConfirmInput, StepResult>(options, nameof(ConfirmOrder), static input => input.OrderId, new StepResult());
            foreach (var step in (string[])[Fraud, nameof(HoldStock), nameof(AuthorizePayment), nameof(CommitStock)])
                Answer<string, StepResult>(options, step, static order => order, new StepResult(Detail: PaymentId.New().ToString()));
        });
        var host = builder.Build();
        await host.StartAsync(Cancel);
        return host;
    }

    private void Answer<TInput, TOutput>(WorkflowRuntimeOptions options, string step, Func<TInput, string> orderOf, TOutput answer) =>
        options.RegisterActivity<TInput, TOutput>(step, (_, input) =>
        {
            _calls.Enqueue((orderOf(input), step));
            return Task.FromResult(answer);
        });

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>What is new is behind a patch: orders under way keep to what they began with.</summary>
    private sealed class SecondVersion : Workflow<OrderPlaced, OrderResult>
    {
        public override async Task<OrderResult> RunAsync(WorkflowContext context, OrderPlaced input)
        {
            if (context.IsPatched("fraud-check"))
                await context.CallActivityAsync<StepResult>(Fraud, input.OrderId);
            return await new OrderWorkflow().RunAsync(context, input);
        }
    }

    private sealed class Unguarded : Workflow<OrderPlaced, OrderResult>
    {
        public override async Task<OrderResult> RunAsync(WorkflowContext context, OrderPlaced input)
        {
            await context.CallActivityAsync<StepResult>(Fraud, input.OrderId);
            return await new OrderWorkflow().RunAsync(context, input);
        }
    }
}
