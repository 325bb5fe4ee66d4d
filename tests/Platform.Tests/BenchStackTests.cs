using DaprPlatform.Cli.Bench;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Tests;

/// <summary>What somebody reads when the stack of a measurement does not come up.</summary>
public sealed class BenchStackTests
{
    [Fact]
    public void A_command_that_fails_is_told_with_its_exit_code_and_what_it_said()
    {
        var error = Assert.Throws<CommandException>(() => BenchStack.OutputOf("up", new ToolResult(1, "port 8080 is taken\n"), isCalledOff: false));
        Assert.Equal("platform up failed with exit code 1:\nport 8080 is taken", error.Message);
    }

    [Fact]
    public void A_command_that_fails_without_a_word_is_told_as_such() =>
        Assert.Equal("platform up failed with exit code 137 and said nothing", Assert.Throws<CommandException>(() => BenchStack.OutputOf("up", new ToolResult(137, "\n"), isCalledOff: false)).Message);

    [Theory]
    // Ctrl-C ends what was started, too: it may be seen here before the signal to this process is.
    [InlineData(130, false)]
    [InlineData(130, true)]
    [InlineData(-1, true)]
    [InlineData(0, true)]
    public void A_run_that_was_called_off_is_no_failure_and_says_what_became_of_it(int exitCode, bool isCalledOff)
    {
        var error = Assert.Throws<CalledOffException>(() => BenchStack.OutputOf("up", new ToolResult(exitCode, ""), isCalledOff));
        Assert.Equal("Called off while `platform up` was at work. The stack of the run is stopped and its data are gone.", error.Message);
    }

    [Fact]
    public void What_succeeds_gives_its_output() => Assert.Equal("{}", BenchStack.OutputOf("up", new ToolResult(0, "{}"), isCalledOff: false));
}
