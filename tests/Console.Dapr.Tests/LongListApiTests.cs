using System.Diagnostics;
using System.Globalization;
using DaprPlatform.Sidecar.Workflow;

namespace DaprPlatform.Cli.OpsConsole.Tests;

/// <summary>The list of very many instances as a page asks for it. How long the call took is among the output (<c>-showLiveOutput</c>).</summary>
public sealed class LongListApiTests(ConsoleWorld world) : IClassFixture<ConsoleWorld>
{
    private const int Many = 100_000;
    private const int PageSize = 200;
    private const int Rounds = 9;

    [Fact]
    public async Task A_page_of_100_000_instances_is_a_page_and_says_how_many_there_are()
    {
        var tables = WorkflowTables.Of(world.View.Engine);
        var hub = await tables.HubAsync("redis://localhost:6379/0|default|shop");
        await tables.Store.WriteAsync(connection =>
        {
            var insert = connection.Prepared("INSERT INTO wf_instances (key, hub, id, generation, open, name, status, created, updated) VALUES (?1, ?2, ?3, 1, 0, 'Order', 1, ?1, ?1)");
            for (var i = 0; i < Many; i++)
                insert.Bind(1, tables.NextKey()).Bind(2, hub).Bind(3, string.Create(CultureInfo.InvariantCulture, $"order-{i:D6}")).Run();
        });

        var times = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            var start = Stopwatch.GetTimestamp();
            var page = await world.GetAsync($"workflows?limit={PageSize}");
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            Assert.Equal(PageSize, page["items"]!.AsArray().Count);
            Assert.Equal(Many, (int)page["total"]!);
            Assert.NotNull(page["next"]);
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"GET workflows?limit={PageSize} of {Many}: {times[0]:0.0} ms, then p50 {times.Skip(1).Order().ElementAt((Rounds - 1) / 2):0.0} ms"));
    }
}
