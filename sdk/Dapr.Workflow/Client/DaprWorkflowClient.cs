using System.Diagnostics;
using Dapr.Workflow.Client;
using Dapr.Workflow.Serialization;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow;

/// <inheritdoc cref="IDaprWorkflowClient"/>
public sealed class DaprWorkflowClient : IDaprWorkflowClient
{
    private static readonly TimeSpan FirstWaitRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan ExistenceCheckDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWaitRetry = TimeSpan.FromSeconds(15);

    private readonly TaskHubConnection _sidecar;
    private readonly IWorkflowSerializer _serializer;
    private readonly TimeProvider _time;
    private readonly bool _ownsConnection;

    internal DaprWorkflowClient(TaskHubConnection sidecar, IWorkflowSerializer serializer, TimeProvider time, bool ownsConnection)
    {
        _sidecar = sidecar;
        _serializer = serializer;
        _time = time;
        _ownsConnection = ownsConnection;
    }

    public Task<string> ScheduleNewWorkflowAsync(string name, string? instanceId = null, object? input = null) =>
        ScheduleNewWorkflowAsync(name, instanceId, input, (DateTimeOffset?)null);

    public Task<string> ScheduleNewWorkflowAsync(string name, string? instanceId, object? input, DateTime? startTime) =>
        ScheduleNewWorkflowAsync(name, instanceId, input, startTime is { } time ? new DateTimeOffset(time) : (DateTimeOffset?)null);

    public async Task<string> ScheduleNewWorkflowAsync(
        string name,
        string? instanceId,
        object? input,
        DateTimeOffset? startTime,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var request = new P.CreateInstanceRequest
        {
            InstanceId = string.IsNullOrEmpty(instanceId) ? Guid.NewGuid().ToString() : instanceId,
            Name = name,
            Input = _serializer.Serialize(input),
            ScheduledStartTimestamp = startTime is { } time ? Timestamp.FromDateTimeOffset(time) : null,
        };
        if (Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } traceParent } activity)
            request.ParentTraceContext = new() { TraceParent = traceParent, TraceState = activity.TraceStateString };
        var response = await _sidecar.Client.StartInstanceAsync(request, _sidecar.Options(cancellation));
        return response.InstanceId;
    }

    public async Task<WorkflowState> GetWorkflowStateAsync(string instanceId, bool getInputsAndOutputs = true, CancellationToken cancellation = default)
    {
        var request = Ask(instanceId, getInputsAndOutputs);
        try
        {
            var response = await _sidecar.Client.GetInstanceAsync(request, _sidecar.Options(cancellation));
            return new WorkflowState(response.Exists ? response.WorkflowState : null, _serializer);
        }
        catch (RpcException failure) when (failure.StatusCode == StatusCode.NotFound)
        {
            return new WorkflowState(null, _serializer);
        }
    }

    public async Task<WorkflowState> WaitForWorkflowStartAsync(string instanceId, bool getInputsAndOutputs = true, CancellationToken cancellation = default)
    {
        var request = Ask(instanceId, getInputsAndOutputs);
        return await WaitAsync(instanceId, () => _sidecar.Client.WaitForInstanceStartAsync(request, _sidecar.Options(cancellation)), cancellation);
    }

    public async Task<WorkflowState> WaitForWorkflowCompletionAsync(
        string instanceId,
        bool getInputsAndOutputs = true,
        CancellationToken cancellation = default)
    {
        // The wait itself goes without inputs and outputs: it may be asked many times, and they can be large.
        var request = Ask(instanceId, getInputsAndOutputs: false);
        var state = await WaitAsync(instanceId, () => _sidecar.Client.WaitForInstanceCompletionAsync(request, _sidecar.Options(cancellation)), cancellation);
        if (!getInputsAndOutputs)
            return state;
        var full = await GetWorkflowStateAsync(instanceId, getInputsAndOutputs: true, cancellation);
        return full.Exists ? full : throw Missing(instanceId);
    }

    public async Task RaiseEventAsync(string instanceId, string eventName, object? eventPayload = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        ArgumentException.ThrowIfNullOrEmpty(eventName);
        await _sidecar.Client.RaiseEventAsync(
            new P.RaiseEventRequest { InstanceId = instanceId, Name = eventName, Input = _serializer.Serialize(eventPayload) },
            _sidecar.Options(cancellation));
    }

    public async Task TerminateWorkflowAsync(string instanceId, object? output = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        await _sidecar.Client.TerminateInstanceAsync(
            new P.TerminateRequest { InstanceId = instanceId, Output = _serializer.Serialize(output), Recursive = true },
            _sidecar.Options(cancellation));
    }

    public async Task SuspendWorkflowAsync(string instanceId, string? reason = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        await _sidecar.Client.SuspendInstanceAsync(
            new P.SuspendRequest { InstanceId = instanceId, Reason = reason ?? string.Empty },
            _sidecar.Options(cancellation));
    }

    public async Task ResumeWorkflowAsync(string instanceId, string? reason = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        await _sidecar.Client.ResumeInstanceAsync(
            new P.ResumeRequest { InstanceId = instanceId, Reason = reason ?? string.Empty },
            _sidecar.Options(cancellation));
    }

    public async Task<bool> PurgeInstanceAsync(string instanceId, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        var response = await _sidecar.Client.PurgeInstancesAsync(
            new P.PurgeInstancesRequest { InstanceId = instanceId, Recursive = true },
            _sidecar.Options(cancellation));
        return response.DeletedInstanceCount > 0;
    }

    public async Task<WorkflowInstancePage> ListInstanceIdsAsync(
        string? continuationToken = null,
        int? pageSize = null,
        CancellationToken cancellation = default)
    {
        var request = new P.ListInstanceIDsRequest();
        if (continuationToken is not null)
            request.ContinuationToken = continuationToken;
        if (pageSize is { } size)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(size, 1, nameof(pageSize));
            request.PageSize = (uint)size;
        }

        var response = await _sidecar.Client.ListInstanceIDsAsync(request, _sidecar.Options(cancellation));
        return new WorkflowInstancePage([.. response.InstanceIds], response.HasContinuationToken ? response.ContinuationToken : null);
    }

    public async Task<IReadOnlyList<WorkflowHistoryEvent>> GetInstanceHistoryAsync(string instanceId, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        var response = await _sidecar.Client.GetInstanceHistoryAsync(
            new P.GetInstanceHistoryRequest { InstanceId = instanceId },
            _sidecar.Options(cancellation));
        return [.. response.Events.Select(ToEvent)];
    }

    public async Task<string> RerunWorkflowFromEventAsync(
        string sourceInstanceId,
        uint eventId,
        RerunWorkflowFromEventOptions? options = null,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(sourceInstanceId);
        var request = new P.RerunWorkflowFromEventRequest { SourceInstanceID = sourceInstanceId, EventID = eventId };
        if (!string.IsNullOrEmpty(options?.NewInstanceId))
            request.NewInstanceID = options.NewInstanceId;
        if (options?.OverwriteInput == true)
        {
            request.OverwriteInput = true;
            request.Input = _serializer.Serialize(options.Input);
        }

        var response = await _sidecar.Client.RerunWorkflowFromEventAsync(request, _sidecar.Options(cancellation));
        return response.NewInstanceID;
    }

    public void Dispose()
    {
        if (_ownsConnection)
            _sidecar.Dispose();
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    // A sidecar that restarts or gives up a long wait must not end the caller's: the instance goes on all the same.
    private async Task<WorkflowState> WaitAsync(string instanceId, Func<AsyncUnaryCall<P.GetInstanceResponse>> wait, CancellationToken cancellation)
    {
        var known = false;
        for (var delay = FirstWaitRetry; ; delay = delay * 2 < LongestWaitRetry ? delay * 2 : LongestWaitRetry)
        {
            try
            {
                using var call = wait();
                if (!known && !await IsAnsweredSoonAsync(call.ResponseAsync, cancellation))
                    known = (await GetWorkflowStateAsync(instanceId, getInputsAndOutputs: false, cancellation)).Exists ? true : throw Missing(instanceId);
                var response = await call;
                return response.Exists ? new WorkflowState(response.WorkflowState, _serializer) : throw Missing(instanceId);
            }
            catch (RpcException failure) when (IsMissing(failure))
            {
                throw Missing(instanceId, failure);
            }
            catch (RpcException failure) when (failure.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
            {
                await Task.Delay(delay, _time, cancellation);
            }
        }
    }

    // Sidecars wait for instances that do not exist, too; a wait that takes longer asks once whether it can end.
    private async Task<bool> IsAnsweredSoonAsync(Task answer, CancellationToken cancellation)
    {
        using var answered = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var soon = Task.Delay(ExistenceCheckDelay, _time, answered.Token);
        var first = await Task.WhenAny(answer, soon);
        await answered.CancelAsync();
        return first == answer;
    }

    private static P.GetInstanceRequest Ask(string instanceId, bool getInputsAndOutputs)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        return new P.GetInstanceRequest { InstanceId = instanceId, GetInputsAndOutputs = getInputsAndOutputs };
    }

    // daprd says it with UNKNOWN.
    private static bool IsMissing(RpcException failure) =>
        failure.StatusCode == StatusCode.NotFound
        || failure.StatusCode == StatusCode.Unknown && failure.Status.Detail.Contains("no such instance exists", StringComparison.Ordinal);

    private static InvalidOperationException Missing(string instanceId, Exception? cause = null) =>
        new($"Workflow instance '{instanceId}' does not exist.", cause);

    private static WorkflowHistoryEvent ToEvent(P.HistoryEvent entry) => new(
        entry.EventId,
        entry.EventTypeCase switch
        {
            P.HistoryEvent.EventTypeOneofCase.None => WorkflowHistoryEventType.Unknown,
            var known => System.Enum.TryParse<WorkflowHistoryEventType>(known.ToString(), out var type) ? type : WorkflowHistoryEventType.Unknown,
        },
        entry.Timestamp?.ToDateTime() ?? default);
}
