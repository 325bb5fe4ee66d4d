using DaprPlatform.Cli;
using DaprPlatform.Cli.LoadTest;

namespace DaprPlatform.Deployment.Tests.LoadTest;

public sealed class LoadScenarioTests
{
    private static readonly LoadScenario Shared = LoadScenario.Read(Support.At("loadtest", "scenario.json"));

    private static LoadScenario Of(string stages) => Shared with { Stages = LoadScenario.ParseStages(stages) };

    [Fact]
    public void The_script_and_the_driver_read_the_same_file()
    {
        var script = File.ReadAllText(Support.At("loadtest", "script.js"));
        Assert.Contains("open(\"./scenario.json\")", script, StringComparison.Ordinal);
        // Every limit is used there by its name, and none is written as a number.
        foreach (var limit in (string[])["requestP95Milliseconds", "failedRequests", "orderDecidedP95Milliseconds", "eventP95Milliseconds", "errorRate"])
            Assert.Contains($"scenario.thresholds.{limit}", script, StringComparison.Ordinal);
        Assert.Equal(100, Shared.Peak);
        Assert.Equal(200, Shared.Thresholds.RequestP95Milliseconds);
    }

    [Fact]
    public void The_checks_and_metrics_of_the_script_are_those_of_the_driver()
    {
        var script = File.ReadAllText(Support.At("loadtest", "script.js"));
        var driver = File.ReadAllText(Support.At("cli", "LoadTest", "LoadDriver.cs"));
        var figures = File.ReadAllText(Support.At("cli", "LoadTest", "LoadFigures.cs"));
        foreach (var check in (string[])["the catalogue answers", "there is something to order", "the order is accepted", "the order is confirmed", "the customer is told of the order", "the customer's orders answer"])
        {
            Assert.Contains(check, script, StringComparison.Ordinal);
            Assert.Contains(check, driver, StringComparison.Ordinal);
        }

        foreach (var metric in (string[])["http_req_duration{kind:request}", "http_req_failed", "order_decided", "event_latency", "error_rate"])
        {
            Assert.Contains(metric, script, StringComparison.Ordinal);
            Assert.Contains(metric, figures, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Users_come_and_go_in_straight_lines()
    {
        var scenario = Of("10s:11,10s:11,10s:1,10s:0");
        Assert.Equal([1, 6, 11, 11, 6, 1, 0, 0], ((double[])[0, 5, 10, 19.9, 25, 30, 39.9, 40]).Select(scenario.UsersAt));
    }

    [Theory]
    [InlineData(0, 0, 0.0)]
    [InlineData(5, 0, 5.0)]
    [InlineData(10, 0, 10.0)]
    [InlineData(5, 12, 12.0)]
    public void A_user_begins_when_the_line_reaches_its_number(int user, double from, double begin) => Assert.Equal(begin, Of("10s:11,10s:11,10s:1,10s:0").NextFor(user, from)!.Value, 3);

    [Theory]
    [InlineData(11, 0)]
    [InlineData(10, 20.5)]
    [InlineData(0, 40)]
    public void A_user_whose_time_is_over_does_not_come_again(int user, double from) => Assert.Null(Of("10s:11,10s:11,10s:1,10s:0").NextFor(user, from));

    [Fact]
    public void A_user_comes_again_when_there_are_more_again()
    {
        var scenario = Of("10s:11,10s:1,10s:11");
        Assert.Equal(25, scenario.NextFor(5, 18)!.Value, 3);
        for (var user = 0; user < 11; user++)
        {
            for (var t = 0.0; t < 31; t += 0.25)
            {
                if (scenario.NextFor(user, t) is { } next)
                    Assert.True(next >= t && scenario.UsersAt(next) > user, $"user {user} at {t}: {next}");
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("10:5")]
    [InlineData("10s")]
    [InlineData("0s:5")]
    [InlineData("10s:-1")]
    [InlineData("10s:0")]
    public void Stages_that_are_none_are_refused(string stages) => Assert.Throws<CommandException>(() => LoadScenario.ParseStages(stages));

    [Fact]
    public void Stages_are_scaled_as_the_script_scales_them()
    {
        var scaled = Shared.Scaled(10, 0.1);
        Assert.Equal([new LoadStage(2, 1), new LoadStage(4, 5), new LoadStage(2, 10), new LoadStage(1, 0)], scaled.Stages);
    }

    [Fact]
    public void What_was_not_measured_keeps_no_limit()
    {
        var report = new LoadFigures().Report(Shared.Thresholds, TimeSpan.FromSeconds(1));
        Assert.False(report.Passed);
        Assert.All(report.Thresholds, t => Assert.Null(t.Measured));
    }

    [Fact]
    public void A_limit_is_kept_by_what_is_below_it()
    {
        var figures = new LoadFigures();
        for (var i = 1; i <= 100; i++)
            figures.Request(slow: true, i, succeeded: i != 7);
        figures.Decided(10);
        figures.Event(10);
        figures.Iteration(true);
        Assert.True(figures.Report(new LoadLimits(96, 0.02, 11, 11, 0.01), TimeSpan.FromSeconds(1)).Passed);
        Assert.False(figures.Report(new LoadLimits(95, 0.02, 11, 11, 0.01), TimeSpan.FromSeconds(1)).Passed);
        Assert.False(figures.Report(new LoadLimits(96, 0.01, 11, 11, 0.01), TimeSpan.FromSeconds(1)).Passed);
    }

    [Fact]
    public void A_file_that_is_no_scenario_says_what_is_wrong()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, File.ReadAllText(Support.At("loadtest", "scenario.json")).Replace("\"productCount\"", "\"productNumber\"", StringComparison.Ordinal));
        Assert.Contains("productNumber", Assert.Throws<CommandException>(() => LoadScenario.Read(file)).Message, StringComparison.Ordinal);
        File.Delete(file);
        Assert.Throws<CommandException>(() => LoadScenario.Read(file));
    }
}
