using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

public sealed class MemoryReleaseTests
{
    [Fact]
    public void Memory_is_given_back_once_after_work_has_stopped_for_a_while()
    {
        var time = new ManualTime();
        var releases = 0;
        using var memory = new MemoryRelease(time, () => releases++);
        memory.Worked();
        time.Advance(TimeSpan.FromSeconds(2));
        memory.Worked();
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0, releases);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(1, releases);
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(1, releases);
        memory.Worked();
        time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(2, releases);
    }
}
