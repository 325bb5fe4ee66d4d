using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Actors.Tests;

public sealed class TimerTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly Channel<string> _ticks = Channel.CreateUnbounded<string>();
    private readonly ActorTimers _timers;
    private Func<Exception?> _fails = static () => null;

    public TimerTests() => _timers = new ActorTimers(_time, (_, id, tick, _) =>
    {
        _ticks.Writer.TryWrite($"{tick.Name} {id}");
        return _fails() is { } failure ? ValueTask.FromException(failure) : ValueTask.CompletedTask;
    }, Calls.Metrics, NullLogger.Instance);

    public void Dispose() => _timers.Dispose();

    [Fact]
    public async Task A_timer_ticks_when_it_is_due_and_then_after_each_period()
    {
        Start("t", "2s", "1s");
        _time.Advance(TimeSpan.FromSeconds(1.9));
        Assert.False(_ticks.Reader.TryRead(out _));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        await TickedAsync();
        await AfterAsync(TimeSpan.FromSeconds(1));
        await AfterAsync(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Repetitions_are_counted()
    {
        Start("t", "1s", "R2/PT1S");
        await AfterAsync(TimeSpan.FromSeconds(1));
        await AfterAsync(TimeSpan.FromSeconds(1));
        await SilentAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task No_tick_comes_after_the_time_to_live()
    {
        Start("t", "1s", "1s", "1500ms");
        await AfterAsync(TimeSpan.FromSeconds(1));
        await AfterAsync(TimeSpan.FromSeconds(1));
        await SilentAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_failed_tick_is_not_repeated_and_the_next_comes_in_its_time()
    {
        _fails = static () => new ActorCallException("no");
        Start("t", "1s", "R2/PT1S");
        await AfterAsync(TimeSpan.FromSeconds(1));
        await AfterAsync(TimeSpan.FromSeconds(1));
        await SilentAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_timer_of_an_actor_that_moved_ends()
    {
        _fails = static () => new ActorMovedException("Cart", "1");
        Start("t", "1s", "1s");
        await AfterAsync(TimeSpan.FromSeconds(1));
        _fails = static () => null;
        await SilentAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_timer_of_the_same_name_takes_the_place_of_the_first()
    {
        Start("t", "1s", "");
        Start("t", "3s", "");
        await SilentAsync(TimeSpan.FromSeconds(2));
        await AfterAsync(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task A_stopped_timer_is_silent()
    {
        Start("t", "1s", "1s");
        _timers.Stop("Cart", "1", "t");
        await SilentAsync(TimeSpan.FromSeconds(3));
    }

    [Theory]
    [InlineData("soon", "", "", "error parsing timer due time: unsupported time/duration format: soon")]
    [InlineData("R2/PT1S", "", "", "error parsing timer due time: repetitions are not allowed")]
    [InlineData("", "often", "", "invalid timer period: parse error: unsupported duration format: often")]
    [InlineData("", "R0/PT1S", "", "invalid timer period: has zero repetitions")]
    [InlineData("", "", "never", "error parsing timer TTL: unsupported time/duration format: never")]
    public void Malformed_times_are_refused_in_daprs_words(string due, string period, string ttl, string message) =>
        Assert.Equal(message, Assert.Throws<FormatException>(() => TimerSchedule.Parse("x", due, period, ttl, _time.GetUtcNow())).Message);

    [Theory]
    [InlineData("", 0)]
    [InlineData("0h0m1s500ms", 1500)]
    [InlineData("PT1M", 60_000)]
    [InlineData("-5s", -5000)]
    [InlineData("2030-01-02T03:04:06Z", 1000)]
    public void Due_times_have_all_of_daprs_forms(string text, int milliseconds) =>
        Assert.Equal(_time.GetUtcNow().AddMilliseconds(milliseconds), TimerSchedule.Parse("x", text, "", "", _time.GetUtcNow()).Due);

    private void Start(string name, string due, string period, string ttl = "") => _timers.Start("Cart", "1", new ActorTick(name, due, period, "", null), ttl);

    private async Task TickedAsync() => Assert.Equal("t 1", await _ticks.Reader.ReadAsync(Calls.Cancelled));

    // The next tick is put in line by the one before it; time is moved until it has been.
    private async Task AfterAsync(TimeSpan time)
    {
        _time.Advance(time);
        while (!_ticks.Reader.TryPeek(out _))
        {
            await Task.Yield();
            _time.Advance(TimeSpan.Zero);
        }

        await TickedAsync();
        await Task.Yield();
    }

    private async Task SilentAsync(TimeSpan time)
    {
        for (var i = 0; i < 50; i++)
            await Task.Yield();
        _time.Advance(time);
        for (var i = 0; i < 50; i++)
            await Task.Yield();
        Assert.False(_ticks.Reader.TryRead(out _));
    }
}
