using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.StandIns;

namespace DaprPlatform.Sidecar.Scheduling.Tests;

public sealed class EngineSchedulerTests
{
    [Fact]
    public async Task Sidecars_of_one_engine_with_one_address_have_one_scheduler()
    {
        var folder = Directory.CreateTempSubdirectory("scheduler-tests-");
        try
        {
            await using (var engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = folder.FullName }))
            {
                var first = await engine.StandIns.GetAsync(StandInKinds.Scheduler, StandInAddress.Of("localhost:50006", 50006));
                var second = await engine.StandIns.GetAsync(StandInKinds.Scheduler, StandInAddress.Of("127.0.0.1:50006", 50006));
                await first.ScheduleAsync(JobKey.ForReminder("default", "Cat", "1", "feed"), new() { Schedule = "@every 1h" }, false, default);
                Assert.Same(first, second);
            }

            await using var next = await Engine.OpenAsync(new EngineOptions { DataDirectory = folder.FullName });
            var scheduler = await next.StandIns.GetAsync(StandInKinds.Scheduler, "127.0.0.1:50006");
            Assert.Equal("@every 1h", (await scheduler.GetAsync(JobKey.ForReminder("default", "Cat", "1", "feed"), default))!.Schedule);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
