using System.Diagnostics;
using System.Reflection;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>What daprd does with a command line that it cannot use: it says why and ends, as with everything that a start can fail with.</summary>
public sealed class CommandLineTests
{
    [Theory]
    [InlineData(1, "invalid value for 'app-port': 99999 is no port", "--app-port", "99999")]
    [InlineData(1, "invalid value for 'dapr-http-port': -2 is no port", "--dapr-http-port", "-2")]
    [InlineData(1, "invalid value for 'max-body-size' option: -5", "--max-body-size", "-5")]
    [InlineData(1, "invalid value for --log-file", "--log-file", "/nonexistent/folder/daprd.log")]
    [InlineData(1, "'app-health-probe-timeout': 2s is longer than 'app-health-probe-interval' 1s", "--enable-app-health-check", "--app-health-probe-interval", "1", "--app-health-probe-timeout", "2000")]
    [InlineData(1, "Fatal error from runtime", "--app-channel-address", "no host", "--app-port", "5")]
    [InlineData(1, "Fatal error from runtime", "--dapr-listen-addresses", "nobody.invalid")]
    [InlineData(2, "invalid argument \"maybe\" for \"--enable-mtls\" flag", "--enable-mtls=maybe")]
    [InlineData(2, "flag needs an argument: --config", "--config")]
    public async Task What_cannot_be_used_ends_it_with_a_reason(int exitCode, string reason, params string[] flags)
    {
        var (code, output) = await RunAsync(["--app-id", "unusable", "--metrics-port", "0", "--dapr-grpc-port", "0", .. flags]);

        Assert.True(code == exitCode, $"ended with {code}:\n{output}");
        Assert.Contains(reason, output, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled exception", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ports_that_the_Dapr_command_gives_as_minus_one_are_not_given()
    {
        // It gets as far as its components' folder.
        var (code, output) = await RunAsync(["--app-id", "minus-one", "--app-port", "-1", "--profile-port", "-1", "--app-max-concurrency", "-1", "--resources-path", "/nonexistent/folder"]);

        Assert.True(code == 1, $"ended with {code}:\n{output}");
        Assert.Contains("failed to add target /nonexistent/folder", output, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output)> RunAsync(string[] arguments)
    {
        var daprd = typeof(CommandLineTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "Daprd").Value!;
        var folder = Directory.CreateTempSubdirectory("command-line-tests-").FullName;
        try
        {
            var info = new ProcessStartInfo("dotnet", [daprd, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
            info.Environment["DAPR_PLATFORM_DIR"] = folder;
            using var process = Process.Start(info)!;
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
            try
            {
                await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            }
            finally
            {
                process.Kill(entireProcessTree: true);
            }

            return (process.ExitCode, await output + await errors);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
