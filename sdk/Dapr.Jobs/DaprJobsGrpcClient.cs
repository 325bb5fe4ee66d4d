using System.Globalization;
using Dapr.Common;
using Dapr.Jobs.Models;
using Dapr.Jobs.Models.Responses;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using Wire = Dapr.Proto.Runtime.V1;
using WirePolicy = Dapr.Proto.Common.V1;

namespace Dapr.Jobs;

internal sealed class DaprJobsGrpcClient : DaprJobsClient
{
    const string PayloadType = "dapr.io/schedule/jobpayload";

    readonly GrpcChannel _channel;
    readonly string _apiToken;
    readonly StableOrAlpha<Wire.ScheduleJobRequest, Wire.ScheduleJobResponse> _schedule;
    readonly StableOrAlpha<Wire.GetJobRequest, Wire.GetJobResponse> _get;
    readonly StableOrAlpha<Wire.DeleteJobRequest, Wire.DeleteJobResponse> _delete;

    internal DaprJobsGrpcClient(GrpcChannel channel, string apiToken)
    {
        _channel = channel;
        _apiToken = apiToken;
        var client = new Wire.Dapr.DaprClient(channel);
        _schedule = new(client.ScheduleJobAsync, client.ScheduleJobAlpha1Async, "ScheduleJob", "Schedule job");
        _get = new(client.GetJobAsync, client.GetJobAlpha1Async, "GetJob", "Get job");
        _delete = new(client.DeleteJobAsync, client.DeleteJobAlpha1Async, "DeleteJob", "Delete job");
    }

    public override async Task ScheduleJobAsync(
        string jobName,
        DaprJobSchedule schedule,
        ReadOnlyMemory<byte>? payload = null,
        DateTimeOffset? startingFrom = null,
        int? repeats = null,
        DateTimeOffset? ttl = null,
        bool overwrite = false,
        IJobFailurePolicyOptions? failurePolicyOptions = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(jobName);
        ArgumentNullException.ThrowIfNull(schedule);
        if (repeats < 0)
            throw new ArgumentOutOfRangeException(nameof(repeats), repeats, "A job cannot be due a negative number of times.");
        if (ttl <= startingFrom)
            throw new ArgumentException("A job must not be gone before it can be due: 'ttl' is not after 'startingFrom'.", nameof(ttl));

        var job = new Wire.Job { Name = jobName };
        if (schedule.IsPointInTimeExpression)
            job.DueTime = schedule.ExpressionValue;
        else
            job.Schedule = schedule.ExpressionValue;
        if (startingFrom is { } start)
            job.DueTime = start.ToString("O", CultureInfo.InvariantCulture);
        if (repeats is { } count)
            job.Repeats = (uint)count;
        if (ttl is { } end)
            job.Ttl = end.ToString("O", CultureInfo.InvariantCulture);
        if (payload is { } bytes)
            job.Data = new Any { TypeUrl = PayloadType, Value = ByteString.CopyFrom(bytes.Span) };
        if (failurePolicyOptions is not null)
            job.FailurePolicy = Map(failurePolicyOptions);

        await _schedule.CallAsync(new Wire.ScheduleJobRequest { Job = job, Overwrite = overwrite }, () => Options(cancellationToken)).ConfigureAwait(false);
    }

    public override async Task<DaprJobDetails> GetJobAsync(string jobName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(jobName);
        var response = await _get.CallAsync(new Wire.GetJobRequest { Name = jobName }, () => Options(cancellationToken)).ConfigureAwait(false);
        var job = response.Job;
        return new DaprJobDetails(DaprJobSchedule.FromExpression(job.HasSchedule ? job.Schedule : job.DueTime))
        {
            RepeatCount = job.HasRepeats ? (int)job.Repeats : null,
            DueTime = job.HasDueTime ? Time(job.DueTime) : null,
            Ttl = job.HasTtl ? Time(job.Ttl) : null,
            Payload = job.Data?.Value.ToByteArray(),
            FailurePolicy = Map(job.FailurePolicy),
        };
    }

    public override async Task DeleteJobAsync(string jobName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(jobName);
        await _delete.CallAsync(new Wire.DeleteJobRequest { Name = jobName }, () => Options(cancellationToken)).ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _channel.Dispose();
    }

    CallOptions Options(CancellationToken cancellationToken) => DaprHeaders.CallOptions(_apiToken, cancellationToken);

    // Other clients may have given a duration, which is no point in time.
    static DateTimeOffset? Time(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    static WirePolicy.JobFailurePolicy Map(IJobFailurePolicyOptions options) => options switch
    {
        JobFailurePolicyDropOptions => new() { Drop = new WirePolicy.JobFailurePolicyDrop() },
        JobFailurePolicyConstantOptions { MaxRetries: { } retries } constant =>
            new() { Constant = new WirePolicy.JobFailurePolicyConstant { Interval = Duration.FromTimeSpan(constant.Interval), MaxRetries = retries } },
        JobFailurePolicyConstantOptions constant => new() { Constant = new WirePolicy.JobFailurePolicyConstant { Interval = Duration.FromTimeSpan(constant.Interval) } },
        _ => throw new ArgumentException($"{options.GetType().Name} is no failure policy that the sidecar knows.", nameof(options)),
    };

    static IJobFailurePolicyOptions? Map(WirePolicy.JobFailurePolicy? policy) => policy?.PolicyCase switch
    {
        WirePolicy.JobFailurePolicy.PolicyOneofCase.Drop => new JobFailurePolicyDropOptions(),
        WirePolicy.JobFailurePolicy.PolicyOneofCase.Constant => new JobFailurePolicyConstantOptions(policy.Constant.Interval?.ToTimeSpan() ?? TimeSpan.Zero)
        {
            MaxRetries = policy.Constant.HasMaxRetries ? policy.Constant.MaxRetries : null,
        },
        _ => null,
    };
}
