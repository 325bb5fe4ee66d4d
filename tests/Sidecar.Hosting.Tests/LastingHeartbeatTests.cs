using DaprPlatform.Testing;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class LastingHeartbeatTests
{
    private readonly ManualTime _time = new();
    private int _beats;

    [Fact]
    public async Task Beats_go_on_after_the_stop_began_and_not_before()
    {
        await using var connection = new Connection(_time);
        connection.OnHeartbeat(() => _beats++);
        _time.Advance(LastingHeartbeat.Pace);
        Assert.Equal(0, _beats);
        // Until the stop Kestrel beats itself.
        connection.KestrelBeats();
        Assert.Equal(1, _beats);

        connection.RequestClose();

        _time.Advance(LastingHeartbeat.Pace);
        _time.Advance(LastingHeartbeat.Pace);
        Assert.Equal(3, _beats);
    }

    [Fact]
    public async Task A_connection_that_comes_while_the_server_stops_has_its_beats_too()
    {
        await using var connection = new Connection(_time, closing: true);
        connection.OnHeartbeat(() => _beats++);
        _time.Advance(LastingHeartbeat.Pace);
        Assert.Equal(1, _beats);
    }

    [Fact]
    public async Task A_beat_that_throws_ends_neither_itself_nor_others()
    {
        await using var broken = new Connection(_time);
        await using var whole = new Connection(_time);
        var tries = 0;
        broken.OnHeartbeat(() =>
        {
            tries++;
            throw new ObjectDisposedException("connection");
        });
        // As of a connection that was upgraded: the same one has two.
        broken.OnHeartbeat(() => _beats++);
        whole.OnHeartbeat(() => _beats++);
        broken.RequestClose();
        whole.RequestClose();

        _time.Advance(LastingHeartbeat.Pace);
        _time.Advance(LastingHeartbeat.Pace);

        Assert.Equal((2, 4), (tries, _beats));
    }

    [Fact]
    public async Task There_is_no_beat_once_the_connection_is_over()
    {
        var connection = new Connection(_time);
        connection.OnHeartbeat(() => _beats++);
        connection.RequestClose();
        _time.Advance(LastingHeartbeat.Pace);
        Assert.Equal(1, _beats);

        await connection.DisposeAsync();

        _time.Advance(LastingHeartbeat.Pace * 10);
        Assert.Equal(1, _beats);
    }

    [Fact]
    public async Task A_stop_after_the_connection_is_over_begins_nothing()
    {
        var connection = new Connection(_time);
        connection.OnHeartbeat(() => _beats++);
        await connection.DisposeAsync();
        connection.RequestClose();
        _time.Advance(LastingHeartbeat.Pace * 10);
        Assert.Equal(0, _beats);
    }

    [Fact]
    public async Task A_beat_may_end_the_connection_or_begin_another()
    {
        var connection = new Connection(_time);
        connection.OnHeartbeat(() =>
        {
            connection.OnHeartbeat(() => _beats++);
            connection.End();
        });
        connection.OnHeartbeat(() => _beats++);
        connection.RequestClose();

        _time.Advance(LastingHeartbeat.Pace);
        _time.Advance(LastingHeartbeat.Pace);

        await connection.DisposeAsync();
        Assert.Equal(0, _beats);
    }

    [Fact]
    public async Task A_beat_that_takes_long_is_not_beaten_a_second_time_meanwhile()
    {
        await using var connection = new Connection(_time);
        // What comes after the wait must not run on the thread that beats.
        var (begun, go) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new ManualResetEventSlim());
        connection.OnHeartbeat(() =>
        {
            _beats++;
            begun.TrySetResult();
            go.Wait(TestContext.Current.CancellationToken);
        });
        connection.RequestClose();

        var first = Task.Factory.StartNew(() => _time.Advance(LastingHeartbeat.Pace), TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await begun.Task.WaitAsync(TestContext.Current.CancellationToken);
        _time.Advance(LastingHeartbeat.Pace);
        Assert.Equal(1, _beats);
        go.Set();
        await first;

        _time.Advance(LastingHeartbeat.Pace);
        Assert.Equal(2, _beats);
    }

    /// <summary>A connection that is served until it is disposed of, with what Kestrel has for it.</summary>
    private sealed class Connection : IConnectionHeartbeatFeature, IConnectionLifetimeNotificationFeature, IAsyncDisposable
    {
        private readonly DefaultConnectionContext _context = new();
        private readonly TaskCompletionSource _over = new();
        private readonly CancellationTokenSource _closing = new();
        private readonly List<(Action<object> Action, object State)> _beats = [];
        private readonly Task _served;

        public Connection(TimeProvider time, bool closing = false)
        {
            _context.Features.Set<IConnectionHeartbeatFeature>(this);
            _context.Features.Set<IConnectionLifetimeNotificationFeature>(this);
            ConnectionClosedRequested = _closing.Token;
            if (closing)
                _closing.Cancel();
            _served = LastingHeartbeat.ServeAsync(_context, _ => _over.Task, time, NullLogger.Instance);
        }

        public CancellationToken ConnectionClosedRequested { get; set; }

        public void OnHeartbeat(Action beat) => _context.Features.Get<IConnectionHeartbeatFeature>()!.OnHeartbeat(static state => ((Action)state)(), beat);

        public void OnHeartbeat(Action<object> action, object state) => _beats.Add((action, state));

        public void KestrelBeats() => _beats.ForEach(static b => b.Action(b.State));

        public void RequestClose() => _closing.Cancel();

        /// <summary>On this thread.</summary>
        public void End() => _over.TrySetResult();

        public async ValueTask DisposeAsync()
        {
            End();
            await _served;
        }
    }
}
