using System.Collections.Concurrent;
using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resources;
using DaprPlatform.Sidecar.Scheduling;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>What an actor asks to be reminded of.</summary>
/// <param name="Data">JSON; null: none.</param>
/// <param name="Overwrite">Replaces a reminder of that name, which starts anew.</param>
/// <param name="Policy">Of failures; null: three more attempts, a second apart.</param>
internal sealed record ReminderRequest(string Name, string DueTime, string Period, string Ttl, ReadOnlyMemory<byte>? Data, bool Overwrite, JobFailurePolicy? Policy);

/// <summary>A reminder as it is shown.</summary>
/// <param name="Data">JSON; null: none.</param>
internal sealed record Reminder(string ActorId, string Name, string? DueTime, string? Period, string? Ttl, ReadOnlyMemory<byte>? Data);

/// <summary>
/// Durable reminders: jobs of the scheduler whose scope is the actor type. A sidecar that hosts a type takes its share of that type's due reminders, whoever
/// hosts the actor itself: the tick is brought there.
/// </summary>
internal sealed partial class ActorReminders(SidecarRuntime runtime, ActorRouter router) : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<string, (CancellationTokenSource Stop, Task Consumption)> _consumed = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _reported = new(StringComparer.Ordinal);
    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime.actors.reminders");

    /// <exception cref="ApiException">It is malformed, or exists and is not to be overwritten, or there is no scheduler.</exception>
    public async Task CreateAsync(string type, string id, ReminderRequest request, CancellationToken cancellationToken)
    {
        var job = new Job { Name = request.Name };
        if (request.DueTime.Length > 0)
            job.DueTime = request.DueTime;
        if (request.Ttl.Length > 0)
            job.Ttl = request.Ttl;
        if (request.Data is { } data)
            job.Data = Any.Pack(new BytesValue { Value = UnsafeByteOperations.UnsafeWrap(data) });
        if (request.Policy is { } policy)
            job.FailurePolicy = policy;
        SetSchedule(job, request.Period);
        try
        {
            var scheduler = await Schedulers.OfAsync(runtime, cancellationToken).ConfigureAwait(false);
            await scheduler.ScheduleAsync(Key(type, id, request.Name), job, request.Overwrite, cancellationToken).ConfigureAwait(false);
        }
        catch (SchedulerException e)
        {
            throw e.Refusal switch
            {
                SchedulerRefusal.AlreadyExists => ActorErrors.ReminderExists(request.Name),
                SchedulerRefusal.Invalid => ActorErrors.ReminderCreate($"rpc error: code = Unknown desc = {e.Message}"),
                _ => ActorErrors.ReminderCreate(e.Message),
            };
        }
    }

    /// <exception cref="ApiException">There is none of that name, or no scheduler.</exception>
    public async Task<Reminder> GetAsync(string type, string id, string name, CancellationToken cancellationToken)
    {
        try
        {
            var scheduler = await Schedulers.OfAsync(runtime, cancellationToken).ConfigureAwait(false);
            var job = await scheduler.GetAsync(Key(type, id, name), cancellationToken).ConfigureAwait(false) ?? throw ActorErrors.ReminderNotFound(name);
            return Shown(id, name, job);
        }
        catch (SchedulerException e)
        {
            throw ActorErrors.ReminderGet(e.Message);
        }
    }

    /// <param name="id">Of one actor; null: of all of the type.</param>
    /// <exception cref="ApiException">There is no scheduler.</exception>
    public async Task<IReadOnlyList<Reminder>> ListAsync(string type, string? id, CancellationToken cancellationToken)
    {
        try
        {
            var scheduler = await Schedulers.OfAsync(runtime, cancellationToken).ConfigureAwait(false);
            var jobs = await scheduler.ListAsync(Scope(type), id, cancellationToken).ConfigureAwait(false);
            return [.. jobs.Select(j => Shown(j.Key.ActorId, j.Key.Name, j.Job))];
        }
        catch (SchedulerException e)
        {
            throw ActorErrors.ReminderGet(e.Message);
        }
    }

    /// <exception cref="ApiException">There is no scheduler.</exception>
    public async Task DeleteAsync(string type, string id, string name, CancellationToken cancellationToken)
    {
        try
        {
            var scheduler = await Schedulers.OfAsync(runtime, cancellationToken).ConfigureAwait(false);
            await scheduler.DeleteAsync(Key(type, id, name), cancellationToken).ConfigureAwait(false);
        }
        catch (SchedulerException e)
        {
            throw ActorErrors.ReminderDelete(e.Message);
        }
    }

    /// <param name="id">Of one actor; null: of all of the type.</param>
    /// <exception cref="ApiException">There is no scheduler.</exception>
    public async Task DeleteAllAsync(string type, string? id, CancellationToken cancellationToken)
    {
        try
        {
            var scheduler = await Schedulers.OfAsync(runtime, cancellationToken).ConfigureAwait(false);
            await scheduler.DeleteAllAsync(Scope(type), id, "", cancellationToken).ConfigureAwait(false);
        }
        catch (SchedulerException e)
        {
            throw ActorErrors.ReminderDelete(e.Message);
        }
    }

    /// <summary>Takes part in the reminders of these types from now on and of no others; completes when nothing of the others is under way.</summary>
    public Task ConsumeAsync(IReadOnlyCollection<string> types)
    {
        if (!Schedulers.IsOn(runtime))
            return Task.CompletedTask;
        var ending = new List<Task>();
        foreach (var type in _consumed.Keys.Except(types, StringComparer.Ordinal).ToArray())
        {
            if (_consumed.TryRemove(type, out var consumed))
                ending.Add(EndAsync(consumed));
        }

        foreach (var type in types)
        {
            if (_consumed.ContainsKey(type))
                continue;
            var stop = new CancellationTokenSource();
            _consumed[type] = (stop, ConsumeAsync(type, stop.Token));
        }

        return Task.WhenAll(ending);

        static async Task EndAsync((CancellationTokenSource Stop, Task Consumption) consumed)
        {
            await consumed.Stop.CancelAsync().ConfigureAwait(false);
            await consumed.Consumption.ConfigureAwait(false);
            consumed.Stop.Dispose();
        }
    }

    /// <summary>Tells the metrics how many reminders the types have that are hosted here.</summary>
    public async Task ReportAsync(CancellationToken cancellationToken)
    {
        if (_consumed.IsEmpty && _reported.IsEmpty)
            return;
        foreach (var type in _reported.Keys.Where(t => !_consumed.ContainsKey(t)))
        {
            if (_reported.TryRemove(type, out _))
                runtime.Metrics.Actors.Reminders(type, 0);
        }

        try
        {
            var scheduler = await Schedulers.OfAsync(runtime, cancellationToken).ConfigureAwait(false);
            foreach (var type in _consumed.Keys)
            {
                runtime.Metrics.Actors.Reminders(type, await scheduler.CountAsync(Scope(type), cancellationToken).ConfigureAwait(false));
                _reported[type] = true;
            }
        }
        catch (SchedulerException e)
        {
            // The figures stay as they were last known.
            LogNotCounted(e.Message);
        }
    }

    public async ValueTask DisposeAsync() => await ConsumeAsync([]).ConfigureAwait(false);

    private static Reminder Shown(string id, string name, Job job)
    {
        ReadOnlyMemory<byte>? data = job.Data is { } any && any.TryUnpack<BytesValue>(out var bytes) ? bytes.Value.Memory : default(ReadOnlyMemory<byte>?);
        // A time to live is shown where it was given as a point in time.
        return new Reminder(id, name, job.HasDueTime ? job.DueTime : null, job.HasSchedule ? job.Schedule : null, job.HasTtl && Rfc3339.TryParse(job.Ttl, out _) ? job.Ttl : null, data);
    }

    // A period is a Go duration, or hours, minutes and seconds of ISO 8601, with repetitions or without.
    private static void SetSchedule(Job job, string period)
    {
        if (period.Length == 0)
            return;
        uint? repeats = null;
        if (!Durations.TryParseGo(period, out var every))
        {
            if (!IsoDuration.TryParse(period, out var iso) || iso.HasDate)
                throw ActorErrors.ReminderCreate($"unsupported period format: {period}");
            every = iso.Time;
            repeats = (uint?)iso.Repetitions;
        }

        // No time between ticks: there is one.
        if (every <= TimeSpan.Zero)
            return;
        job.Schedule = "@every " + Durations.FormatGo(every);
        if (repeats is { } count)
            job.Repeats = count;
    }

    private JobScope Scope(string type) => JobScope.ActorType(runtime.Options.Namespace, type);

    private JobKey Key(string type, string id, string name) => JobKey.ForReminder(runtime.Options.Namespace, type, id, name);

    // Until it is cancelled; what is under way is finished then.
    private async Task ConsumeAsync(string type, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var scheduler = await Schedulers.OfAsync(runtime, stopping).ConfigureAwait(false);
                await using var consumption = await scheduler.ConsumeAsync(Scope(type), (due, lost) => DeliverAsync(due, stopping, lost), stopping).ConfigureAwait(false);
                await Task.Delay(Timeout.InfiniteTimeSpan, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogNotConnected(type, e.Message);
                await Task.Delay(Pause, runtime.Time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async ValueTask<JobOutcome> DeliverAsync(DueJob due, CancellationToken stopping, CancellationToken cancellationToken)
    {
        var (type, id, name) = (due.Key.Scope.Name, due.Key.ActorId, due.Key.Name);
        ReadOnlyMemory<byte>? data = due.Job.Data is { } any && any.TryUnpack<BytesValue>(out var bytes) ? bytes.Value.Memory : default(ReadOnlyMemory<byte>?);
        try
        {
            await router.RemindAsync(type, id, new ActorTick(name, "", "", "", data), cancellationToken).ConfigureAwait(false);
            return JobOutcome.Done;
        }
        catch (ActorCallException e)
        {
            LogFailed(type, id, name, e.Message);
            // What is cut off because the type goes counts against nobody.
            return stopping.IsCancellationRequested ? JobOutcome.Undeliverable : JobOutcome.Failed;
        }
        catch (Exception e) when (e is ApiException or ActorMovedException or OperationCanceledException or ObjectDisposedException)
        {
            // Nobody hosts the actor at the moment.
            return JobOutcome.Undeliverable;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "error invoking reminder on actor {Type}||{Id}||{Name}: {Reason}")]
    private partial void LogFailed(string type, string id, string name, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "the reminders could not be counted: {Reason}")]
    private partial void LogNotCounted(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "cannot take part in the reminders of {Type}; it will be tried again: {Reason}")]
    private partial void LogNotConnected(string type, string reason);
}
