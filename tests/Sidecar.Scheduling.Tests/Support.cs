using System.Threading.Channels;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Scheduling.Tests;

/// <summary>A scheduler on a database of its own, and a clock that stands until it is moved.</summary>
internal sealed class Fixture : IAsyncDisposable
{
    public const string Address = "127.0.0.1:50006";
    public static readonly JobScope App = JobScope.App("default", "app");
    private readonly bool _ownsFolder;

    private Fixture(string folder, ManualTime time, DurableStore store, DurableScheduler scheduler, bool ownsFolder)
    {
        Folder = folder;
        Time = time;
        Store = store;
        Scheduler = scheduler;
        _ownsFolder = ownsFolder;
    }

    public string Folder { get; }

    public ManualTime Time { get; }

    public DurableStore Store { get; }

    public DurableScheduler Scheduler { get; }

    public static Task<Fixture> OpenAsync() => OpenAsync(Directory.CreateTempSubdirectory("scheduler-tests-").FullName, new ManualTime());

    /// <summary>What a process would find that starts after this one was killed now.</summary>
    public async Task<Fixture> AfterKillAsync(TimeSpan later = default)
    {
        await BarrierAsync();
        var copy = Directory.CreateTempSubdirectory("scheduler-tests-").FullName;
        foreach (var file in Directory.GetFiles(Folder, "engine.db*"))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        return await OpenAsync(copy, new ManualTime(Time.GetUtcNow() + later));
    }

    /// <summary>Completes when what was asked before is durable, and known in memory.</summary>
    public async Task BarrierAsync()
    {
        for (var i = 0; i < 4; i++)
            await Store.WriteAsync(_ => { });
    }

    public async Task AdvanceAsync(TimeSpan time)
    {
        Time.Advance(time);
        await BarrierAsync();
    }

    public Task ScheduleAsync(string name, string? schedule = null, string? due = null, uint? repeats = null, string? ttl = null, bool overwrite = false, Action<Job>? more = null)
    {
        var job = new Job { Name = name };
        if (schedule is not null)
            job.Schedule = schedule;
        if (due is not null)
            job.DueTime = due;
        if (repeats is { } count)
            job.Repeats = count;
        if (ttl is not null)
            job.Ttl = ttl;
        more?.Invoke(job);
        return Scheduler.ScheduleAsync(new JobKey(App, "", name), job, overwrite, CancellationToken.None);
    }

    public ValueTask<Job?> GetAsync(string name) => Scheduler.GetAsync(new JobKey(App, "", name), CancellationToken.None);

    public async Task<Consumer> ConsumeAsync(JobScope? scope = null)
    {
        var consumer = new Consumer(this);
        consumer.Consumption = await Scheduler.ConsumeAsync(scope ?? App, consumer.DeliverAsync, CancellationToken.None);
        await BarrierAsync();
        return consumer;
    }

    public async ValueTask DisposeAsync()
    {
        await Scheduler.DisposeAsync();
        await Store.DisposeAsync();
        if (_ownsFolder)
            Directory.Delete(Folder, recursive: true);
    }

    private static async Task<Fixture> OpenAsync(string folder, ManualTime time)
    {
        var store = DurableStore.Open(Path.Combine(folder, "engine.db"));
        var table = new JobTable(store);
        await table.LoadAsync();
        return new Fixture(folder, time, store, new DurableScheduler(table, Address, time, NullLogger.Instance), ownsFolder: true);
    }
}

/// <summary>A consumer whose answers are given by the test.</summary>
internal sealed class Consumer(Fixture fixture)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly Channel<Delivery> _deliveries = Channel.CreateUnbounded<Delivery>();

    public IAsyncDisposable Consumption { get; set; } = null!;

    public async ValueTask<JobOutcome> DeliverAsync(DueJob job, CancellationToken cancellationToken)
    {
        var delivery = new Delivery(fixture, job);
        _deliveries.Writer.TryWrite(delivery);
        return await delivery.Answer.Task.ConfigureAwait(false);
    }

    public async Task<Delivery> NextAsync() => await _deliveries.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    public async Task<string> NextAsync(JobOutcome outcome)
    {
        var delivery = await NextAsync();
        await delivery.AnswerAsync(outcome);
        return delivery.Job.Key.Name;
    }
}

internal sealed record Delivery(Fixture Fixture, DueJob Job)
{
    // Its continuations run where it is completed, so that they are over when AnswerAsync goes on.
    public TaskCompletionSource<JobOutcome> Answer { get; } = new();

    public async Task AnswerAsync(JobOutcome outcome)
    {
        await Task.Run(() => Answer.SetResult(outcome));
        await Fixture.BarrierAsync();
    }
}
