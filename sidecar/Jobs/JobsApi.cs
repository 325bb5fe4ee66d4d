using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Scheduling;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Jobs;

/// <summary>
/// The jobs building block (https://docs.dapr.io/reference/api/jobs_api/) on the scheduler that <c>--scheduler-host-address</c> names. While the app is there and well, this
/// sidecar takes its share of the app's due jobs.
/// </summary>
internal sealed partial class JobsApi : IBuildingBlock, IMetadataSource, IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private readonly SidecarRuntime _runtime;
    private readonly JobScope _scope;
    private readonly JobErrors _errors;
    private readonly JobDelivery _delivery;
    private readonly ILogger _logger;
    private CancellationTokenSource? _consuming;
    private Task _consumption = Task.CompletedTask;

    public JobsApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _scope = JobScope.App(runtime.Options.Namespace, runtime.Options.AppId);
        _errors = new JobErrors(_scope.Name, _scope.Namespace);
        _delivery = new JobDelivery(runtime);
        _logger = runtime.Loggers.CreateLogger("dapr.runtime.scheduler");
    }

    public void MapHttp(Router router)
    {
        if (!Schedulers.IsOn(_runtime))
            LogDisabled();
        foreach (var version in new[] { "v1.0", "v1.0-alpha1" })
        {
            router.Map("jobs", version, "POST", "jobs/{name}", ScheduleHttpAsync);
            router.Map("jobs", version, "GET", "jobs/{name}", async context => await context.Bytes(JobJson.Format(await GetAsync(context["name"], context.Cancelled).ConfigureAwait(false))).ConfigureAwait(false));
            router.Map("jobs", version, "DELETE", "jobs/{name}", async context =>
            {
                await DeleteAsync(context["name"], context.Cancelled).ConfigureAwait(false);
                await context.NoContent().ConfigureAwait(false);
            });
        }
    }

    public void Describe(GetMetadataResponse metadata)
    {
        if (!Schedulers.IsOn(_runtime))
            return;
        metadata.Scheduler = new MetadataScheduler();
        metadata.Scheduler.ConnectedAddresses.AddRange(_runtime.Options.SchedulerHostAddress.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
    }

    /// <param name="job">Null is refused as Dapr refuses it.</param>
    /// <exception cref="ApiException">It is malformed, or exists, or there is no scheduler.</exception>
    public async Task ScheduleAsync(Job? job, bool overwrite, CancellationToken cancellationToken)
    {
        if (job is null)
            throw _errors.NoJob();
        if (job.Name.Length == 0)
            throw _errors.NoName();
        if (!job.HasSchedule && !job.HasDueTime)
            throw _errors.NoTimes();
        try
        {
            var scheduler = await Schedulers.OfAsync(_runtime, cancellationToken).ConfigureAwait(false);
            await scheduler.ScheduleAsync(new JobKey(_scope, "", job.Name), job, overwrite, cancellationToken).ConfigureAwait(false);
        }
        catch (SchedulerException e)
        {
            throw _errors.Schedule(e);
        }
    }

    /// <exception cref="ApiException">There is no such job, or no scheduler.</exception>
    public async ValueTask<Job> GetAsync(string name, CancellationToken cancellationToken)
    {
        if (name.Length == 0)
            throw _errors.NoName();
        try
        {
            var scheduler = await Schedulers.OfAsync(_runtime, cancellationToken).ConfigureAwait(false);
            return await scheduler.GetAsync(new JobKey(_scope, "", name), cancellationToken).ConfigureAwait(false) ?? throw _errors.NotFound(name);
        }
        catch (SchedulerException e)
        {
            throw _errors.Get(e);
        }
    }

    /// <exception cref="ApiException">There is no scheduler.</exception>
    public async Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        if (name.Length == 0)
            throw _errors.NoName();
        try
        {
            var scheduler = await Schedulers.OfAsync(_runtime, cancellationToken).ConfigureAwait(false);
            await scheduler.DeleteAsync(new JobKey(_scope, "", name), cancellationToken).ConfigureAwait(false);
        }
        catch (SchedulerException e)
        {
            throw _errors.Delete(e);
        }
    }

    /// <param name="prefix">Empty: all jobs of the app.</param>
    /// <exception cref="ApiException">There is no scheduler.</exception>
    public async Task DeleteByPrefixAsync(string prefix, CancellationToken cancellationToken)
    {
        try
        {
            var scheduler = await Schedulers.OfAsync(_runtime, cancellationToken).ConfigureAwait(false);
            await scheduler.DeleteAllAsync(_scope, "", prefix, cancellationToken).ConfigureAwait(false);
        }
        catch (SchedulerException e)
        {
            throw _errors.Delete(e);
        }
    }

    /// <exception cref="ApiException">There is no scheduler.</exception>
    public async ValueTask<IReadOnlyList<ScheduledJob>> ListAsync(CancellationToken cancellationToken)
    {
        try
        {
            var scheduler = await Schedulers.OfAsync(_runtime, cancellationToken).ConfigureAwait(false);
            return await scheduler.ListAsync(_scope, "", cancellationToken).ConfigureAwait(false);
        }
        catch (SchedulerException e)
        {
            throw _errors.List(e);
        }
    }

    /// <summary>In the background: the scheduler may take a moment to be there, which nothing else has to wait for.</summary>
    public Task AppReadyAsync(CancellationToken cancellationToken)
    {
        if (Schedulers.IsOn(_runtime) && _runtime.App.IsConfigured && _consuming is null)
        {
            _consuming = new CancellationTokenSource();
            _consumption = ConsumeAsync(_consuming.Token);
        }

        return Task.CompletedTask;
    }

    public async Task AppGoneAsync()
    {
        if (_consuming is not { } consuming)
            return;
        _consuming = null;
        await consuming.CancelAsync().ConfigureAwait(false);
        await _consumption.ConfigureAwait(false);
        consuming.Dispose();
    }

    public async ValueTask DisposeAsync() => await AppGoneAsync().ConfigureAwait(false);

    // Until it is cancelled; deliveries under way are finished then.
    private async Task ConsumeAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var scheduler = await Schedulers.OfAsync(_runtime, stopping).ConfigureAwait(false);
                await using var consumption = await scheduler.ConsumeAsync(_scope, _delivery.DeliverAsync, stopping).ConfigureAwait(false);
                LogConnected();
                await Task.Delay(Timeout.InfiniteTimeSpan, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogNotConnected(e.Message);
                await Task.Delay(Pause, _runtime.Time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ScheduleHttpAsync(ApiContext context)
    {
        byte[] body;
        try
        {
            body = await context.BodyAsync().ConfigureAwait(false);
        }
        catch (BodyTooLargeException e)
        {
            throw ApiException.BadRequest("ERR_BODY_READ", $"failed to read request body: {e.Message}");
        }

        var given = JobJson.Parse(body);
        if (given.Name.Length > 0)
            throw _errors.NameInBody();
        var job = new Job { Name = context["name"], FailurePolicy = given.FailurePolicy };
        if (given.HasSchedule)
            job.Schedule = given.Schedule;
        if (given.HasDueTime)
            job.DueTime = given.DueTime;
        if (given.HasRepeats)
            job.Repeats = given.Repeats;
        if (given.HasTtl)
            job.Ttl = given.Ttl;
        if (given.Data is { } data)
            job.Data = Any.Pack(data);
        await ScheduleAsync(job, given.Overwrite, context.Cancelled).ConfigureAwait(false);
        await context.NoContent().ConfigureAwait(false);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Scheduler disabled, not connecting...")]
    private partial void LogDisabled();

    [LoggerMessage(Level = LogLevel.Information, Message = "Scheduler stream connected")]
    private partial void LogConnected();

    [LoggerMessage(Level = LogLevel.Error, Message = "cannot take part in the app's jobs; it will be tried again: {Reason}")]
    private partial void LogNotConnected(string reason);
}
