using System.Text.Json.Nodes;
using Dapr.DurableTask.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>A worker of the app whose workflows answer at once: a result, or a failure where it throws.</summary>
internal sealed class InstantWorker : IAsyncDisposable
{
    private readonly GrpcChannel _channel;
    private readonly CancellationTokenSource _leave = new();
    private readonly Task _running;

    /// <param name="ends">False for workflows that go on until they are ended from outside; null: none does.</param>
    public InstantWorker(int grpcPort, Func<string, JsonNode, string?> run, Func<string, bool>? ends = null)
    {
        _channel = GrpcChannel.ForAddress($"http://127.0.0.1:{grpcPort}");
        _running = RunAsync(new TaskHubSidecarService.TaskHubSidecarServiceClient(_channel), run, ends);
    }

    public async ValueTask DisposeAsync()
    {
        await _leave.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _channel.Dispose();
        _leave.Dispose();
    }

    private async Task RunAsync(TaskHubSidecarService.TaskHubSidecarServiceClient client, Func<string, JsonNode, string?> run, Func<string, bool>? ends)
    {
        using var stream = client.GetWorkItems(new GetWorkItemsRequest(), cancellationToken: _leave.Token);
        await foreach (var item in stream.ResponseStream.ReadAllAsync(_leave.Token))
        {
            var start = item.WorkflowRequest.NewEvents.Concat(item.WorkflowRequest.PastEvents).Select(e => e.ExecutionStarted).First(s => s is not null);
            var end = new CompleteWorkflowAction { WorkflowStatus = OrchestrationStatus.Completed };
            try
            {
                end.Result = run(start.Name, JsonNode.Parse(start.Input)!);
            }
            catch (InvalidOperationException e)
            {
                end.WorkflowStatus = OrchestrationStatus.Failed;
                end.FailureDetails = new TaskFailureDetails { ErrorType = "Refused", ErrorMessage = e.Message };
            }

            var response = new WorkflowResponse { InstanceId = item.WorkflowRequest.InstanceId };
            if (ends is null || ends(start.Name))
                response.Actions.Add(new WorkflowAction { CompleteWorkflow = end });
            await client.CompleteWorkflowTaskAsync(response, cancellationToken: _leave.Token);
        }
    }
}
