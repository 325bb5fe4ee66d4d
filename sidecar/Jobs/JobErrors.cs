using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Scheduling;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Jobs;

/// <summary>Refusals of the jobs API; the code over HTTP is the reason of their ErrorInfo.</summary>
internal sealed class JobErrors(string appId, string @namespace)
{
    /// <summary>Only over HTTP, where the name is in the path.</summary>
    public ApiException NameInBody() => new(400, StatusCode.InvalidArgument, "DAPR_SCHEDULER_JOB_NAME", "Set the job name in the url only", ApiException.Info("DAPR_SCHEDULER_JOB_NAME", ("appID", appId)));

    public ApiException NoJob() => Incomplete("DAPR_SCHEDULER_EMPTY", "Job is empty");

    public ApiException NoName() => Incomplete("DAPR_SCHEDULER_JOB_NAME_EMPTY", "Name is empty");

    public ApiException NoTimes() => Incomplete("DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty");

    public ApiException Schedule(SchedulerException e) => e.Refusal == SchedulerRefusal.AlreadyExists
        ? Failed(409, StatusCode.AlreadyExists, "DAPR_SCHEDULER_SCHEDULE_JOB", $"failed to schedule job due to: {Words(e)}")
        : Failed("DAPR_SCHEDULER_SCHEDULE_JOB", $"failed to schedule job due to: {Words(e)}");

    public ApiException Get(SchedulerException e) => Failed("DAPR_SCHEDULER_GET_JOB", $"failed to get job due to: {Words(e)}");

    public ApiException NotFound(string name) => Failed("DAPR_SCHEDULER_GET_JOB", $"failed to get job due to: rpc error: code = NotFound desc = job not found: {name}");

    public ApiException Delete(SchedulerException e) => Failed("DAPR_SCHEDULER_DELETE_JOB", $"failed to delete job due to: {Words(e)}");

    public ApiException List(SchedulerException e) => Failed("DAPR_SCHEDULER_LIST_JOBS", $"failed to list jobs due to: {Words(e)}");

    // As daprd shows what its scheduler answered over gRPC.
    private static string Words(SchedulerException e) => e.Refusal switch
    {
        SchedulerRefusal.AlreadyExists => $"rpc error: code = AlreadyExists desc = {e.Message}",
        SchedulerRefusal.Invalid => $"rpc error: code = Unknown desc = {e.Message}",
        _ => e.Message,
    };

    private ApiException Incomplete(string reason, string message) => Failed(400, StatusCode.InvalidArgument, reason, message);

    private ApiException Failed(string reason, string message) => Failed(500, StatusCode.Internal, reason, message);

    private ApiException Failed(int http, StatusCode grpc, string reason, string message) => new(http, grpc, reason, message, ApiException.Info(reason, ("appID", appId), ("namespace", @namespace)));
}
