using System.Text.Json;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Cli.Control;
using Grpc.Core;
using Grpc.Net.Client;

namespace DaprPlatform.Cli.Workflows;

/// <summary>The workflows of one app, through the gRPC port of its sidecar: the door that every workflow client has.</summary>
internal sealed class WorkflowService : IWorkflowActions, IDisposable
{
    private const int PageSize = 200;
    private const int AskedAtOnce = 16;
    private readonly GrpcChannel _channel;
    private readonly TaskHubSidecarService.TaskHubSidecarServiceClient _client;
    private readonly Metadata _headers = [];

    public WorkflowService(int grpcPort, string? token)
    {
        _channel = GrpcChannel.ForAddress($"http://127.0.0.1:{grpcPort}", new GrpcChannelOptions { MaxReceiveMessageSize = null });
        _client = new TaskHubSidecarService.TaskHubSidecarServiceClient(_channel);
        if (token is not null)
            _headers.Add("dapr-api-token", token);
    }

    /// <summary>The sidecar of an app of a running stack; without a name that of the one app with a workflow worker.</summary>
    /// <exception cref="CommandException">There is no such app, or none or several with a worker.</exception>
    public static async Task<AppStatus> AppOfAsync(StackStatus stack, string? app, CancellationToken cancel)
    {
        if (app is not null)
            return stack.Apps.FirstOrDefault(a => a.App == app) ?? throw new CommandException($"There is no app {app}; there are {string.Join(", ", stack.Apps.Select(a => a.App))}.");
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        var workers = new List<AppStatus>();
        foreach (var candidate in stack.Apps.Where(a => a.SidecarHealthy))
        {
            using var metadata = JsonDocument.Parse(await http.GetByteArrayAsync($"http://127.0.0.1:{candidate.DaprHttpPort}/v1.0/metadata", cancel));
            if (metadata.RootElement.TryGetProperty("workflows", out _))
                workers.Add(candidate);
        }

        return workers switch
        {
            [var one] => one,
            [] => throw new CommandException("No app has a workflow worker connected; name the app with --app."),
            _ => throw new CommandException($"Several apps have workflow workers; name one with --app: {string.Join(", ", workers.Select(w => w.App))}"),
        };
    }

    /// <summary>States in the order of the ids, at most so many that satisfy the condition.</summary>
    public async Task<IReadOnlyList<WorkflowState>> ListAsync(int limit, Func<WorkflowState, bool> wanted, CancellationToken cancel)
    {
        var found = new List<WorkflowState>();
        var request = new ListInstanceIDsRequest { PageSize = PageSize };
        do
        {
            var page = await CallAsync(o => _client.ListInstanceIDsAsync(request, o), cancel);
            for (var at = 0; at < page.InstanceIds.Count && found.Count < limit; at += AskedAtOnce)
            {
                var states = await Task.WhenAll(page.InstanceIds.Skip(at).Take(AskedAtOnce).Select(id => FindAsync(id, withPayloads: true, cancel)));
                found.AddRange(states.OfType<WorkflowState>().Where(wanted).Take(limit - found.Count));
            }

            if (!page.HasContinuationToken || page.ContinuationToken.Length == 0)
                break;
            request.ContinuationToken = page.ContinuationToken;
        }
        while (found.Count < limit);
        return found;
    }

    /// <exception cref="CommandException">There is none.</exception>
    public async Task<WorkflowState> GetAsync(string id, CancellationToken cancel) =>
        await FindAsync(id, withPayloads: true, cancel) ?? throw new CommandException($"There is no workflow instance {id}.");

    public async Task<IReadOnlyList<HistoryEvent>> HistoryAsync(string id, CancellationToken cancel) =>
        (await CallAsync(o => _client.GetInstanceHistoryAsync(new GetInstanceHistoryRequest { InstanceId = id }, o), cancel)).Events;

    public Task RaiseAsync(string id, string name, string? data, CancellationToken cancel) => CallAsync(o => _client.RaiseEventAsync(new RaiseEventRequest { InstanceId = id, Name = name, Input = data }, o), cancel);

    public Task TerminateAsync(string id, string? output, bool recursive, CancellationToken cancel) =>
        CallAsync(o => _client.TerminateInstanceAsync(new TerminateRequest { InstanceId = id, Output = output, Recursive = recursive }, o), cancel);

    public Task SuspendAsync(string id, string? reason, CancellationToken cancel) => CallAsync(o => _client.SuspendInstanceAsync(new SuspendRequest { InstanceId = id, Reason = reason }, o), cancel);

    public Task ResumeAsync(string id, string? reason, CancellationToken cancel) => CallAsync(o => _client.ResumeInstanceAsync(new ResumeRequest { InstanceId = id, Reason = reason }, o), cancel);

    /// <returns>How many were removed, children included.</returns>
    public async Task<int> PurgeAsync(string id, bool force, CancellationToken cancel) =>
        (await CallAsync(o => _client.PurgeInstancesAsync(new PurgeInstancesRequest { InstanceId = id, Recursive = true, Force = force }, o), cancel)).DeletedInstanceCount;

    /// <returns>The id of the new instance.</returns>
    public async Task<string> RerunAsync(string id, uint eventId, string? newId, string? input, CancellationToken cancel)
    {
        var request = new RerunWorkflowFromEventRequest { SourceInstanceID = id, EventID = eventId, Input = input, OverwriteInput = input is not null };
        if (newId is not null)
            request.NewInstanceID = newId;
        return (await CallAsync(o => _client.RerunWorkflowFromEventAsync(request, o), cancel)).NewInstanceID;
    }

    public void Dispose() => _channel.Dispose();

    private async Task<WorkflowState?> FindAsync(string id, bool withPayloads, CancellationToken cancel)
    {
        var answer = await CallAsync(o => _client.GetInstanceAsync(new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = withPayloads }, o), cancel);
        return answer.Exists ? answer.WorkflowState : null;
    }

    private async Task<T> CallAsync<T>(Func<CallOptions, AsyncUnaryCall<T>> call, CancellationToken cancel)
    {
        try
        {
            return await call(new CallOptions(_headers, cancellationToken: cancel));
        }
        catch (RpcException e) when (!cancel.IsCancellationRequested)
        {
            throw new CommandException(e.StatusCode == StatusCode.Unavailable ? $"The sidecar does not answer: {e.Status.Detail}" : $"{e.Status.Detail} ({e.StatusCode})", e);
        }
    }
}
