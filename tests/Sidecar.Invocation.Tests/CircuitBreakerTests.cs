using DaprPlatform.Sidecar.Resiliency;
using Xunit;

namespace DaprPlatform.Sidecar.Tests;

public sealed class CircuitBreakerTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void It_opens_after_six_failures_in_a_row_and_lets_one_through_when_its_time_is_over()
    {
        var breaker = new CircuitBreaker(new CircuitBreakerPolicy(1, TimeSpan.Zero, TimeSpan.FromSeconds(60), null), _time);
        for (var i = 0; i < 6; i++)
            breaker.Record(breaker.Enter(), success: false);
        Assert.Equal("circuit breaker is open", Assert.Throws<PolicyException>(() => breaker.Enter()).Message);

        _time.Pass(TimeSpan.FromSeconds(60));
        var trial = breaker.Enter();
        Assert.Equal("too many requests", Assert.Throws<PolicyException>(() => breaker.Enter()).Message);
        breaker.Record(trial, success: true);
        Assert.Equal("closed", breaker.Current);
    }

    [Fact]
    public void A_failure_while_half_open_opens_it_again()
    {
        var breaker = new CircuitBreaker(new CircuitBreakerPolicy(1, TimeSpan.Zero, TimeSpan.FromSeconds(1), null), _time);
        for (var i = 0; i < 6; i++)
            breaker.Record(breaker.Enter(), success: false);
        _time.Pass(TimeSpan.FromSeconds(1));
        breaker.Record(breaker.Enter(), success: false);
        Assert.Equal("open", breaker.Current);
    }

    [Fact]
    public void A_result_of_an_earlier_period_counts_for_nothing()
    {
        var breaker = new CircuitBreaker(new CircuitBreakerPolicy(1, TimeSpan.Zero, TimeSpan.FromSeconds(1), null), _time);
        var late = breaker.Enter();
        for (var i = 0; i < 6; i++)
            breaker.Record(breaker.Enter(), success: false);
        breaker.Record(late, success: true);
        Assert.Equal("open", breaker.Current);
    }

    private sealed class ManualTime : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Pass(TimeSpan time) => _ticks += time.Ticks;
    }
}
