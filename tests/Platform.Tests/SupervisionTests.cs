using System.Threading.Channels;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.Cli.Tests;

public sealed class SupervisionTests
{
    private static readonly Backoff Backoff = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(20));
    private readonly ManualTime _time = new();
    private readonly FakeProgram _program = new();
    private readonly Channel<UnitSnapshot> _changes = Channel.CreateUnbounded<UnitSnapshot>();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_program_that_ends_is_started_again_later_and_later()
    {
        await using var unit = Unit();
        await unit.StartAsync();
        var delays = new List<TimeSpan>();
        for (var i = 0; i < 5; i++)
        {
            await UntilAsync(UnitState.Healthy);
            _program.Last.Exit(1);
            await UntilAsync(UnitState.Waiting);
            delays.Add(await _time.NextWaitAsync(Cancel));
            _time.Advance(delays[^1]);
        }

        await UntilAsync(UnitState.Healthy);
        Assert.Equal([200, 400, 800, 1000, 1000], delays.Select(d => d.TotalMilliseconds));
        Assert.Equal(5, unit.Snapshot.Restarts);
        Assert.Contains("exit code 1", unit.Snapshot.Note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_had_served_for_long_is_started_again_soon()
    {
        await using var unit = Unit();
        await unit.StartAsync();
        await UntilAsync(UnitState.Healthy);
        _program.Last.Exit(1);
        await UntilAsync(UnitState.Waiting);
        _time.Advance(await _time.NextWaitAsync(Cancel));

        await UntilAsync(UnitState.Healthy);
        _time.Advance(TimeSpan.FromSeconds(20));
        _program.Last.Exit(1);
        await UntilAsync(UnitState.Waiting);

        Assert.Equal(200, (await _time.NextWaitAsync(Cancel)).TotalMilliseconds);
    }

    [Fact]
    public async Task A_stop_during_the_wait_for_the_next_start_ends_it()
    {
        await using var unit = Unit();
        await unit.StartAsync();
        await UntilAsync(UnitState.Healthy);
        _program.Last.Exit(137);
        await UntilAsync(UnitState.Waiting);

        await unit.StopAsync(TimeSpan.FromSeconds(1));

        Assert.Equal(UnitState.Stopped, unit.Snapshot.State);
        Assert.Equal(1, _program.Starts);
        Assert.Contains("SIGKILL", unit.Snapshot.Note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_does_not_become_ready_is_ended_and_started_again()
    {
        _program.NotReady = "no answer";
        await using var unit = Unit();
        await unit.StartAsync();
        await UntilAsync(UnitState.Waiting);

        Assert.True(_program.Last.Stopped);
        Assert.Contains("no answer", unit.Snapshot.Note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_started_is_tried_again_and_says_why()
    {
        _program.CannotStart = "not built";
        await using var unit = Unit();
        await unit.StartAsync();
        await UntilAsync(UnitState.Waiting);
        Assert.Contains("not built", unit.Snapshot.Note, StringComparison.Ordinal);

        _program.CannotStart = null;
        _time.Advance(await _time.NextWaitAsync(Cancel));
        await UntilAsync(UnitState.Healthy);
    }

    [Fact]
    public async Task A_stop_stops_the_program_and_waiters_are_told()
    {
        var unit = Unit();
        await unit.StartAsync();
        await unit.WaitHealthyAsync(Cancel);
        await unit.StopAsync(TimeSpan.FromSeconds(1));

        Assert.True(_program.Last.Stopped);
        Assert.Null(unit.Snapshot.Pid);
        await unit.DisposeAsync();
    }

    private SupervisedUnit Unit() => new(_program, Backoff, _time, change => _changes.Writer.TryWrite(change));

    private async Task UntilAsync(UnitState state)
    {
        while ((await _changes.Reader.ReadAsync(Cancel)).State != state)
        {
        }
    }

    private sealed class FakeProgram : ISupervisedProgram
    {
        public string Name => "fake";

        public string? CannotStart { get; set; }

        public string? NotReady { get; set; }

        public int Starts { get; private set; }

        public FakeRun Last { get; private set; } = new(0);

        public Task<IRunningProgram> StartAsync(CancellationToken cancel)
        {
            if (CannotStart is { } problem)
                throw new CommandException(problem);
            Last = new FakeRun(++Starts);
            return Task.FromResult<IRunningProgram>(Last);
        }

        public Task WaitReadyAsync(IRunningProgram running, CancellationToken cancel) =>
            NotReady is { } problem ? Task.FromException(new CommandException(problem)) : Task.CompletedTask;
    }

    private sealed class FakeRun(int pid) : IRunningProgram
    {
        private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool Stopped { get; private set; }

        public ProcessIdentity Identity => new(pid, pid);

        public Task<int> Exited => _exited.Task;

        public void Exit(int code) => _exited.TrySetResult(code);

        public Task StopAsync(TimeSpan grace, TimeProvider time)
        {
            Stopped = true;
            _exited.TrySetResult(0);
            return Task.CompletedTask;
        }
    }
}
