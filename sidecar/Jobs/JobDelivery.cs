using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Invocation;
using DaprPlatform.Sidecar.Scheduling;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Jobs;

/// <summary>
/// From the scheduler to the app: <c>POST /job/{name}</c>, or <c>OnJobEvent</c> and for older apps <c>OnJobEventAlpha1</c>. An app that does not know the job (404, NOT_FOUND) is not
/// asked again.
/// </summary>
internal sealed partial class JobDelivery(SidecarRuntime runtime)
{
    private static readonly KeyValuePair<string, StringValues> ContentType = KeyValuePair.Create("Content-Type", new StringValues("application/json"));
    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime.scheduler");

    public async ValueTask<JobOutcome> DeliverAsync(DueJob job, CancellationToken cancellationToken)
    {
        if (!runtime.App.IsHealthy)
            return JobOutcome.Undeliverable;
        var start = runtime.Time.GetTimestamp();
        var failure = runtime.App.IsGrpc ? await SendGrpcAsync(job).ConfigureAwait(false) : await SendHttpAsync(job).ConfigureAwait(false);
        if (runtime.Metrics.Registry.Enabled)
            runtime.Metrics.Job(failure is null, runtime.Time.GetElapsedTime(start).TotalMilliseconds);
        if (failure is null)
            return JobOutcome.Done;
        LogFailed(job.Key.Name, failure);
        return JobOutcome.Failed;
    }

    // Null when it was delivered; a call under way is finished whatever becomes of the scheduler.
    private async ValueTask<string?> SendHttpAsync(DueJob job)
    {
        try
        {
            var request = new UpstreamRequest("POST", MethodPath.Encode("job/" + job.Key.Name, ""), [ContentType], RequestBody.Of(JobJson.Body(job.Job.Data)));
            await using var answer = await runtime.App.CallAsync(request, CancellationToken.None).ConfigureAwait(false);
            await answer.ReadAllAsync(long.MaxValue, CancellationToken.None).ConfigureAwait(false);
            if (answer.Status is >= 200 and <= 299)
                return null;
            if (answer.Status != 404)
                return $"the app answered {answer.Status}";
            LogUnknown(job.Key.Name);
            return null;
        }
        catch (Exception e) when (e is UpstreamException or IOException)
        {
            return e.Message;
        }
    }

    private async ValueTask<string?> SendGrpcAsync(DueJob job)
    {
        var request = new JobEventRequest { Name = job.Key.Name, Method = "job/" + job.Key.Name, ContentType = job.Job.Data?.TypeUrl ?? "", HttpExtension = new HTTPExtension { Verb = HTTPExtension.Types.Verb.Post } };
        if (job.Job.Data is { } data)
            request.Data = data;
        try
        {
            try
            {
                await new AppCallback.AppCallbackClient(runtime.App.Grpc).OnJobEventAsync(request).ResponseAsync.ConfigureAwait(false);
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented)
            {
                await new AppCallbackAlpha.AppCallbackAlphaClient(runtime.App.Grpc).OnJobEventAlpha1Async(request).ResponseAsync.ConfigureAwait(false);
            }

            return null;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            LogUnknown(job.Key.Name);
            return null;
        }
        catch (RpcException e)
        {
            return $"{e.StatusCode}: {e.Status.Detail}";
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Error sending job event to app. Job: {Name}: {Reason}")]
    private partial void LogFailed(string name, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {Name} is not known to the app")]
    private partial void LogUnknown(string name);
}
