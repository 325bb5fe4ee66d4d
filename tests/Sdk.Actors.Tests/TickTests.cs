using System.Text.Json;
using Dapr.Actors;
using Dapr.Actors.Client;
using Dapr.Actors.Communication;
using Dapr.Actors.Runtime;
using Microsoft.Extensions.Logging.Abstractions;

namespace Sdk.Actors.Tests;

public class TickTests
{
    private readonly StoppedTime _time = new();
    private readonly StandInSidecar _sidecar;
    private readonly Clockwork _actor;

    public TickTests()
    {
        _sidecar = new StandInSidecar(_time);
        var sidecar = new SidecarActors(_sidecar, "http://sidecar:3500/", null, null);
        _actor = new Clockwork(new ActorHost(
            ActorTypeInformation.Get(typeof(Clockwork)),
            new ActorId("c1"),
            new JsonSerializerOptions(JsonSerializerDefaults.Web),
            NullLoggerFactory.Instance,
            new ActorProxyFactory(),
            new SidecarTimers(sidecar, _time),
            sidecar,
            _time));
    }

    [Fact]
    public async Task Timers_are_registered_in_the_sidecars_form()
    {
        await _actor.RegisterTimerAsync("t", "OnTimer", [1, 2], TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        Assert.Equal("""{"dueTime":"0h0m1s0ms","period":"0h0m2s0ms","data":"AQI=","callback":"OnTimer"}""", Tick("timers/t"));
        await _actor.RegisterTimerAsync("u", "OnTimer", null, TimeSpan.Zero, Timeout.InfiniteTimeSpan, TimeSpan.FromHours(1));
        Assert.Equal("""{"dueTime":"0h0m0s0ms","callback":"OnTimer","ttl":"1h0m0s0ms"}""", Tick("timers/u"));
        await _actor.StopTimerAsync("t");
        Assert.Null(Tick("timers/t"));
    }

    [Theory]
    [InlineData("Ghost")]
    [InlineData("TakesText")]
    [InlineData("ReturnsNothing")]
    [InlineData("Overloaded")]
    [InlineData("OnActivateAsync")]
    public async Task A_timer_needs_a_method_that_fits(string callback) =>
        await Assert.ThrowsAsync<ArgumentException>(() => _actor.RegisterTimerAsync("t", callback, null, TimeSpan.Zero, Timeout.InfiniteTimeSpan));

    [Fact]
    public async Task Reminders_are_registered_in_the_sidecars_form()
    {
        var once = await _actor.RemindAsync(reminder => reminder.Plain("once", [1, 2], TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(90), TimeSpan.FromHours(1)));
        Assert.Equal("once", once.Name);
        Assert.Equal("""{"dueTime":"0h0m1s0ms","period":"1h30m0s0ms","data":"AQI=","ttl":"1h0m0s0ms"}""", Tick("reminders/once"));
        await _actor.RemindAsync(reminder => reminder.Plain("bare", null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan, null));
        Assert.Equal("""{"dueTime":"0h0m1s0ms","period":"","data":""}""", Tick("reminders/bare"));
        await _actor.RemindAsync(reminder => reminder.Repeated("four", TimeSpan.FromHours(26), 4));
        Assert.Equal("""{"dueTime":"0h0m1s0ms","period":"R4/P1DT2H","data":""}""", Tick("reminders/four"));
        await _actor.StopReminderAsync("four");
        Assert.Null(Tick("reminders/four"));
    }

    [Fact]
    public async Task Reminders_that_make_no_sense_are_refused()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _actor.RemindAsync(reminder => reminder.Repeated("ms", TimeSpan.FromMilliseconds(1500), 2)));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => _actor.RemindAsync(reminder => reminder.Repeated("none", TimeSpan.FromSeconds(1), 0)));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => _actor.RemindAsync(reminder => reminder.Plain("past", null, TimeSpan.FromSeconds(-1), TimeSpan.Zero, null)));
        var mute = new Mute(ActorHost.CreateForTest<Mute>());
        await Assert.ThrowsAsync<InvalidOperationException>(mute.RemindAsync);
    }

    [Fact]
    public async Task A_reminder_is_read_back()
    {
        Assert.Null(await _actor.FindReminderAsync("r"));
        _sidecar.Ticks["/v1.0/actors/Clockwork/c1/reminders/r"] = """{"actorID":"c1","actorType":"Clockwork","data":"AQI=","dueTime":"2026-01-01T00:01:00Z","period":"@every 2h0m0s"}""";

        var found = await _actor.FindReminderAsync("r");
        Assert.Equal(("r", TimeSpan.FromMinutes(1), TimeSpan.FromHours(2)), (found!.Name, found.DueTime, found.Period));
        Assert.Equal([1, 2], found.State);
        _sidecar.Override = _ => StandInSidecar.Answer(System.Net.HttpStatusCode.InternalServerError);
        Assert.Null(await _actor.FindReminderAsync("r"));
    }

    [Theory]
    [InlineData("", -1, null)]
    [InlineData(null, -1, null)]
    [InlineData("0h0m5s0ms", 5000, null)]
    [InlineData("1h30m", 5_400_000, null)]
    [InlineData("1.5s", 1500, null)]
    [InlineData("-1s", -1000, null)]
    [InlineData("300ms", 300, null)]
    [InlineData("0", 0, null)]
    [InlineData("@every 2h0m0s", 7_200_000, null)]
    [InlineData("PT5S", 5000, null)]
    [InlineData("R4/P1DT2H", 93_600_000, 4)]
    [InlineData("R3", -1, 3)]
    public void Durations_are_read_in_every_form_that_sidecars_write(string? text, double milliseconds, int? repetitions) =>
        Assert.Equal((TimeSpan.FromMilliseconds(milliseconds), repetitions), DaprDurations.Parse(text));

    [Theory]
    [InlineData("soon")]
    [InlineData("5")]
    [InlineData("5x")]
    [InlineData("-")]
    [InlineData("Pfoo")]
    public void What_is_no_duration_is_refused(string text) => Assert.Throws<FormatException>(() => DaprDurations.Parse(text));

    [Theory]
    [InlineData(93_600_500, "26h0m0s500ms")]
    [InlineData(0, "0h0m0s0ms")]
    [InlineData(-1, "")]
    public void Durations_are_written_in_hours_and_below(long milliseconds, string text) =>
        Assert.Equal(text, DaprDurations.Format(TimeSpan.FromMilliseconds(milliseconds)));

    [Theory]
    [InlineData("\"plain text\"", "plain text")]
    [InlineData("{\"a\":1}", "{\"a\":1}")]
    [InlineData("null", null)]
    public void Data_that_others_registered_is_given_as_it_is(string data, string? expected)
    {
        var bytes = TickBody.Read(System.Text.Encoding.UTF8.GetBytes($$"""{"data":{{data}}}""")).Bytes;
        Assert.Equal(expected, bytes is null ? null : System.Text.Encoding.UTF8.GetString(bytes));
    }

    private string? Tick(string path) => _sidecar.Ticks.GetValueOrDefault("/v1.0/actors/Clockwork/c1/" + path);

    public interface IClock : IActor
    {
        Task NothingAsync();
    }

    private sealed class Mute(ActorHost host) : Actor(host), IClock
    {
        public Task NothingAsync() => Task.CompletedTask;

        public Task RemindAsync() => RegisterReminderAsync("r", null, TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    private sealed class Clockwork(ActorHost host) : Actor(host), IClock, IRemindable
    {
        public Task NothingAsync() => Task.CompletedTask;

        public Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period) => Task.CompletedTask;

        public Task<IActorReminder> RemindAsync(Func<Clockwork, Task<IActorReminder>> register) => register(this);

        public Task<IActorReminder> Plain(string name, byte[]? state, TimeSpan dueTime, TimeSpan period, TimeSpan? ttl) =>
            ttl is { } given ? RegisterReminderAsync(name, state, dueTime, period, given) : RegisterReminderAsync(name, state, dueTime, period);

        public Task<IActorReminder> Repeated(string name, TimeSpan period, int repetitions) =>
            RegisterReminderAsync(name, null, TimeSpan.FromSeconds(1), period, repetitions);

        public Task<IActorReminder?> FindReminderAsync(string name) => GetReminderAsync(name);

        public Task StopReminderAsync(string name) => UnregisterReminderAsync(name);

        public Task StopTimerAsync(string name) => UnregisterTimerAsync(name);

        public Task OnTimer(byte[] data) => Task.CompletedTask;

        public Task TakesText(string text) => Task.CompletedTask;

        public void ReturnsNothing()
        {
        }

        public Task Overloaded() => Task.CompletedTask;

        public Task Overloaded(byte[] data) => Task.CompletedTask;
    }
}
