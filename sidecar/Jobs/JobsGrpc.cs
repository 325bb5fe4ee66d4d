using Dapr.Proto.Runtime.V1;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Hosting;

internal sealed partial class DaprGrpcService
{
    private Jobs.JobsApi Jobs => _runtime.Block<Jobs.JobsApi>();

    public override Task<ScheduleJobResponse> ScheduleJob(ScheduleJobRequest request, ServerCallContext context) => Translated(ScheduleAsync(request, context));

    public override Task<ScheduleJobResponse> ScheduleJobAlpha1(ScheduleJobRequest request, ServerCallContext context) => Translated(ScheduleAsync(request, context));

    public override Task<GetJobResponse> GetJob(GetJobRequest request, ServerCallContext context) => Translated(GetJobAsync(request, context));

    public override Task<GetJobResponse> GetJobAlpha1(GetJobRequest request, ServerCallContext context) => Translated(GetJobAsync(request, context));

    public override Task<DeleteJobResponse> DeleteJob(DeleteJobRequest request, ServerCallContext context) => Translated(DeleteJobAsync(request, context));

    public override Task<DeleteJobResponse> DeleteJobAlpha1(DeleteJobRequest request, ServerCallContext context) => Translated(DeleteJobAsync(request, context));

    public override Task<DeleteJobsByPrefixResponseAlpha1> DeleteJobsByPrefix(DeleteJobsByPrefixRequestAlpha1 request, ServerCallContext context) => Translated(DeleteByPrefixAsync(request, context));

    public override Task<DeleteJobsByPrefixResponseAlpha1> DeleteJobsByPrefixAlpha1(DeleteJobsByPrefixRequestAlpha1 request, ServerCallContext context) => Translated(DeleteByPrefixAsync(request, context));

    public override Task<ListJobsResponseAlpha1> ListJobs(ListJobsRequestAlpha1 request, ServerCallContext context) => Translated(ListJobsAsync(context));

    public override Task<ListJobsResponseAlpha1> ListJobsAlpha1(ListJobsRequestAlpha1 request, ServerCallContext context) => Translated(ListJobsAsync(context));

    private async ValueTask<ScheduleJobResponse> ScheduleAsync(ScheduleJobRequest request, ServerCallContext context)
    {
        await Jobs.ScheduleAsync(request.Job, request.Overwrite, context.CancellationToken).ConfigureAwait(false);
        return new ScheduleJobResponse();
    }

    private async ValueTask<GetJobResponse> GetJobAsync(GetJobRequest request, ServerCallContext context) =>
        new() { Job = await Jobs.GetAsync(request.Name, context.CancellationToken).ConfigureAwait(false) };

    private async ValueTask<DeleteJobResponse> DeleteJobAsync(DeleteJobRequest request, ServerCallContext context)
    {
        await Jobs.DeleteAsync(request.Name, context.CancellationToken).ConfigureAwait(false);
        return new DeleteJobResponse();
    }

    private async ValueTask<DeleteJobsByPrefixResponseAlpha1> DeleteByPrefixAsync(DeleteJobsByPrefixRequestAlpha1 request, ServerCallContext context)
    {
        await Jobs.DeleteByPrefixAsync(request.NamePrefix, context.CancellationToken).ConfigureAwait(false);
        return new DeleteJobsByPrefixResponseAlpha1();
    }

    private async ValueTask<ListJobsResponseAlpha1> ListJobsAsync(ServerCallContext context)
    {
        var response = new ListJobsResponseAlpha1();
        foreach (var job in await Jobs.ListAsync(context.CancellationToken).ConfigureAwait(false))
            response.Jobs.Add(job.Job);
        return response;
    }
}
