using DaprPlatform.Testing;

namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class IdleMemoryTests
{
    private readonly ManualTime _time = new();
    private int _releases;

    [Fact]
    public void Memory_is_given_back_once_a_burst_of_calls_is_over()
    {
        using var memory = new IdleMemory(_time, () => _releases++);
        Call(memory, 2000);
        for (var second = 0; second < 9; second++)
        {
            Call(memory, 500);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(0, _releases);
        // Health checks go on and are no burst.
        for (var second = 0; second < 60; second++)
        {
            Call(memory, 5);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(1, _releases);
        Call(memory, 2500);
        _time.Advance(TimeSpan.FromSeconds(3));
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(2, _releases);
    }

    [Fact]
    public void A_few_calls_release_nothing()
    {
        using var memory = new IdleMemory(_time, () => _releases++);
        Call(memory, 1999);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(0, _releases);
    }

    private static void Call(IdleMemory memory, int times)
    {
        for (var i = 0; i < times; i++)
            memory.Called();
    }
}
