using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Tests;

/// <summary>The published sidecar, run as on a machine where nothing is set up: no HOME, no PATH, no .NET.</summary>
public sealed class PublishTests(PublishTests.Publication publication) : IClassFixture<PublishTests.Publication>
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_says_which_version_it_is()
    {
        Assert.Equal("1.18.3", (await publication.RunAsync("--version")).Output.Trim());
        Assert.StartsWith("Version: 1.18.3\n", (await publication.RunAsync("--build-info")).Output, StringComparison.Ordinal);
        Assert.NotEqual(0, (await publication.RunAsync("--no-such-flag")).ExitCode);
    }

    [Fact]
    public async Task It_becomes_healthy_keeps_state_takes_configuration_and_ends_with_exit_code_0()
    {
        var folder = publication.Folder;
        var resources = Directory.CreateDirectory(Path.Combine(folder, "resources")).FullName;
        await File.WriteAllTextAsync(Path.Combine(resources, "a.yaml"), Component("store", "state.sqlite", "connectionString", Path.Combine(folder, "state.db"))
            + "---\n" + Component("config", "configuration.redis", "redisHost", "localhost:6379"), Token);
        var (http, grpc, metrics) = (PortOwners.FindFree(), PortOwners.FindFree(), PortOwners.FindFree());
        using var sidecar = publication.Start("--app-id", "published", "--dapr-http-port", Text(http), "--dapr-grpc-port", Text(grpc), "--metrics-port", Text(metrics),
            "--dapr-listen-addresses", "127.0.0.1", "--resources-path", resources, "--scheduler-host-address", "localhost:50006");
        try
        {
            using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{http}") };
            await HealthyAsync(client, sidecar);
            using var saved = await client.PostAsync(new Uri("/v1.0/state/store", UriKind.Relative), new StringContent("""[{"key":"k","value":"v"}]""", Encoding.UTF8, "application/json"), Token);
            Assert.Equal(HttpStatusCode.NoContent, saved.StatusCode);
            Assert.Equal("\"v\"", await client.GetStringAsync(new Uri("/v1.0/state/store/k", UriKind.Relative), Token));

            var set = await publication.RunAsync("config-set", Text(http), "config", "limit", "5", "2");
            Assert.True(set.ExitCode == 0, set.Output);
            Assert.Contains("\"value\":\"5\"", await client.GetStringAsync(new Uri("/v1.0/configuration/config?key=limit", UriKind.Relative), Token), StringComparison.Ordinal);

            using var scheduled = await client.PostAsync(new Uri("/v1.0/jobs/later", UriKind.Relative), new StringContent("""{"dueTime":"1h"}""", Encoding.UTF8, "application/json"), Token);
            Assert.Equal(HttpStatusCode.NoContent, scheduled.StatusCode);

            Signals.Send(sidecar.Id, Signal.Terminate);
            await sidecar.WaitForExitAsync(Token).WaitAsync(Patience, Token);
            Assert.Equal(0, sidecar.ExitCode);
        }
        finally
        {
            if (!sidecar.HasExited)
                sidecar.Kill(entireProcessTree: true);
        }
    }

    private static async Task HealthyAsync(HttpClient client, Process sidecar)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Patience);
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            Assert.False(sidecar.HasExited, "daprd has ended");
            try
            {
                using var answer = await client.GetAsync(new Uri("/v1.0/healthz", UriKind.Relative), limit.Token);
                if (answer.StatusCode == HttpStatusCode.NoContent)
                    return;
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }

            await interval.WaitForNextTickAsync(limit.Token);
        }
    }

    private static string Component(string name, string type, string key, string value) =>
        $"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\nspec:\n  type: {type}\n  version: v1\n  metadata:\n  - name: {key}\n    value: \"{value}\"\n";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Publishes once, into a folder whose executable is then copied away alone.</summary>
    public sealed class Publication : IAsyncLifetime
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("publish-tests-");
        private string _executable = "";

        public string Folder => _folder.FullName;

        public async ValueTask InitializeAsync() =>
            _executable = await DaprdPublication.PublishAsync(Repository.Find(), Path.Combine(Folder, "bin"), static _ => { }, TestContext.Current.CancellationToken);

        public Process Start(params string[] arguments)
        {
            var info = new ProcessStartInfo(_executable, arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
            info.Environment.Clear();
            // Where the processes of the machine share their data: this test's own.
            info.Environment["DAPR_PLATFORM_DIR"] = Path.Combine(Folder, "machine");
            var process = Process.Start(info)!;
            process.OutputDataReceived += static (_, _) => { };
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            return process;
        }

        public async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
        {
            var info = new ProcessStartInfo(_executable, arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
            info.Environment.Clear();
            using var process = Process.Start(info)!;
            var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken) + await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return (process.ExitCode, output);
        }

        public ValueTask DisposeAsync()
        {
            // The stand-in process outlives the sidecar; it is this test's.
            foreach (var standIn in Process.GetProcessesByName("dapr-stand-in"))
            {
                using (standIn)
                {
                    if (standIn.MainModule?.FileName == _executable)
                        standIn.Kill();
                }
            }

            _folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }
    }
}
