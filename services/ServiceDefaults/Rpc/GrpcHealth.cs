using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.ServiceDefaults.Rpc.Health;
using Grpc.Core;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Serving = DaprPlatform.ServiceDefaults.Rpc.Health.HealthCheckResponse.Types.ServingStatus;

namespace DaprPlatform.ServiceDefaults.Rpc;

/// <summary>Whether the service is ready, as its health checks say every few seconds. Not ready from the moment it is asked to stop.</summary>
internal sealed class ServingState : IHealthCheckPublisher
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Serving _status = Serving.NotServing;

    public ServingState(IHostApplicationLifetime lifetime)
    {
        Stopping = lifetime.ApplicationStopping;
        lifetime.ApplicationStopping.Register(() => Set(Serving.NotServing));
    }

    public CancellationToken Stopping { get; }

    /// <summary>The status, and what ends when it is another.</summary>
    public (Serving Status, Task Changed) Current
    {
        get
        {
            lock (_lock)
                return (_status, _changed.Task);
        }
    }

    public Task PublishAsync(HealthReport report, CancellationToken cancellationToken)
    {
        Set(report.Status == HealthStatus.Unhealthy ? Serving.NotServing : Serving.Serving);
        return Task.CompletedTask;
    }

    private void Set(Serving status)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            // A check that was under way when the stop was asked for changes nothing.
            if (_status == status || (Stopping.IsCancellationRequested && status == Serving.Serving))
                return;
            _status = status;
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        changed.SetResult();
    }
}

/// <summary>gRPC's health protocol (https://grpc.io/docs/guides/health-checking/): the server as a whole under the empty name, and each of its services.</summary>
internal sealed class GrpcHealthService(HealthCheckService checks, ServingState state, EndpointDataSource endpoints) : Health.Health.HealthBase
{
    private readonly Lazy<HashSet<string>> _services = new(() => [.. ServiceDescriptors.Of(endpoints).Select(s => s.FullName)]);

    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        if (!IsKnown(request.Service))
            throw Refusals.NotFound("service-not-found", $"There is no service {request.Service} here.");
        if (state.Stopping.IsCancellationRequested)
            return new HealthCheckResponse { Status = Serving.NotServing };
        var report = await checks.CheckHealthAsync(context.CancellationToken);
        return new HealthCheckResponse { Status = report.Status == HealthStatus.Unhealthy ? Serving.NotServing : Serving.Serving };
    }

    public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, state.Stopping);
        var known = IsKnown(request.Service);
        try
        {
            while (true)
            {
                var (status, changed) = state.Current;
                await responseStream.WriteAsync(new HealthCheckResponse { Status = known ? status : Serving.ServiceUnknown }, context.CancellationToken);
                await (known ? changed : Task.Delay(Timeout.Infinite, ended.Token)).WaitAsync(ended.Token);
            }
        }
        catch (OperationCanceledException) when (state.Stopping.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            await responseStream.WriteAsync(new HealthCheckResponse { Status = known ? Serving.NotServing : Serving.ServiceUnknown }, context.CancellationToken);
        }
    }

    private bool IsKnown(string service) => service.Length == 0 || _services.Value.Contains(service);
}
