using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>The commands around a running stack, typed as a user types them.</summary>
public sealed class CommandTests(StackFixture stack) : IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => new(stack.ServesAgainAsync());

    [Fact]
    public async Task Status_tells_every_app_and_what_stands_for_every_component()
    {
        var result = await stack.TryPlatformAsync(["status", "--json"], Cancel);

        Assert.True(result.Succeeded, result.Output);
        var status = JsonSerializer.Deserialize<StackStatus>(result.Output, ControlJson.Options)!;
        Assert.Equal(stack.RunFile.Apps.Select(a => a.AppId), status.Apps.Select(a => a.App));
        Assert.All(status.Apps, a => Assert.True(a is { State: UnitState.Healthy, Pid: > 0, ResidentBytes: > 0 }, a.ToString()));
        Assert.Contains(status.Components, c => c is { Name: "pubsub", Type: "pubsub.kafka", StandsFor: "embedded log" });
        Assert.Contains("pubsub.kafka \u2192 embedded log", (await stack.TryPlatformAsync(["status"], Cancel)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_killed_app_is_started_again_and_the_status_says_so()
    {
        var before = (await stack.RefreshAsync(Cancel)).Apps.Single(a => a.App == "users");

        Signals.Send(before.Pid!.Value, Signal.Kill);

        var after = await UntilAsync(s => s.Apps.Single(a => a.App == "users"), a => a.State == UnitState.Healthy && a.Pid is not null && a.Pid != before.Pid);
        Assert.Equal(before.Restarts + 1, after.Restarts);
    }

    [Fact]
    public async Task An_app_is_stopped_and_started_again_by_command()
    {
        await stack.PlatformAsync(["stop", "payments"], Cancel);
        var stopped = await UntilAsync(s => s.Apps.Single(a => a.App == "payments"), a => a.State == UnitState.Stopped);
        Assert.Null(stopped.Pid);
        var status = await stack.TryPlatformAsync(["status"], Cancel);
        Assert.True(status.ExitCode == 1, $"ended with {status.ExitCode}:\n{status.Output}");

        await stack.PlatformAsync(["restart", "payments"], Cancel);
        await UntilAsync(s => s.Apps.Single(a => a.App == "payments"), a => a.State == UnitState.Healthy && a.Pid is not null);
        var nobody = await stack.TryPlatformAsync(["restart", "nobody"], Cancel);
        Assert.True(nobody.ExitCode == 1, $"ended with {nobody.ExitCode}:\n{nobody.Output}");
    }

    [Fact]
    public async Task Logs_go_on_with_what_is_written_from_now()
    {
        using var seen = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var following = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var shutdowns = 0;
        var follow = stack.TryPlatformAsync(["logs", "inventory", "-f", "-n", "1"], seen.Token, line =>
        {
            following.TrySetResult();
            if (line.Contains("Application is shutting down", StringComparison.Ordinal) && Interlocked.Increment(ref shutdowns) == 1)
                seen.Cancel();
        });
        await following.Task.WaitAsync(Cancel);

        await stack.PlatformAsync(["restart", "inventory"], Cancel);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => follow);
        Assert.Equal(1, shutdowns);
        await UntilAsync(s => s.Apps.Single(a => a.App == "inventory"), a => a.State == UnitState.Healthy);
    }

    [Fact]
    public async Task A_taken_port_names_its_owner_and_the_setting()
    {
        var other = Directory.CreateTempSubdirectory("platform-e2e-port-").FullName;
        var result = await ToolRun.RunAsync("bash",
            [Path.Combine(stack.Root, "platform"), "up", "--no-build", "--port-offset", StackFixture.PortOffset.ToString(CultureInfo.InvariantCulture), "--data-dir", other], stack.Root, Cancel,
            limit: TimeSpan.FromMinutes(1));

        Assert.True(result.ExitCode == 1, $"ended with {result.ExitCode}:\n{result.Output}");
        var users = (await stack.RefreshAsync(Cancel)).Apps.Single(a => a.App == "users");
        Assert.Contains($"is held by pid {users.Pid} (", result.Output, StringComparison.Ordinal);
        Assert.Matches(@"the setting is (appPort|env\.METRICS_PORT|\S+) in dapr\.yaml:\d+", result.Output);
    }

    [Fact]
    public async Task Reset_asks_before_it_throws_data_away()
    {
        var result = await stack.TryPlatformAsync(["reset"], Cancel);

        Assert.True(result.ExitCode != 0, result.Output);
        Assert.Contains("--yes", result.Output, StringComparison.Ordinal);
        Assert.True((await stack.RefreshAsync(Cancel)).Running);
    }

    [Fact]
    public async Task The_doctor_tells_what_is_there_and_who_holds_the_ports()
    {
        var result = await stack.TryPlatformAsync(["doctor", "--json"], Cancel);
        var findings = JsonNode.Parse(result.Output)!.AsArray();

        Assert.True((bool)findings.Single(f => (string?)f!["check"] == ".NET SDK")!["ok"]!, result.Output);
        Assert.True((bool)findings.Single(f => (string?)f!["check"] == "Node.js")!["ok"]!, result.Output);
        Assert.Equal(findings.All(f => (bool)f!["ok"]!), result.Succeeded);
    }

    [Fact]
    public async Task An_account_of_the_console_takes_its_password_from_the_standard_input()
    {
        // A folder of its own: with an account the console of the stack would ask everybody to sign in.
        var data = Directory.CreateTempSubdirectory("platform-e2e-account-").FullName;
        var made = await ShellAsync($"echo correct-horse-1 | ./platform console user add ada --role operator --data-dir {data}");
        Assert.True(made.Succeeded, made.Output);
        var listed = await ShellAsync($"./platform console user list --data-dir {data}");
        Assert.Equal("ada operator", listed.Output.Trim());
        Assert.DoesNotContain("correct-horse-1", await File.ReadAllTextAsync(Path.Combine(data, "console-users.json"), Cancel), StringComparison.Ordinal);

        Assert.False((await ShellAsync($"./platform console user add ben --role viewer --data-dir {data}")).Succeeded);
        Assert.True((await ShellAsync($"./platform console user remove ada --data-dir {data}")).Succeeded);
        Assert.Equal("", (await ShellAsync($"./platform console user list --data-dir {data}")).Output.Trim());
        Directory.Delete(data, recursive: true);

        Task<ToolResult> ShellAsync(string command) => ToolRun.RunAsync("bash", ["-c", command], stack.Root, Cancel, limit: TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task Ctrl_C_stops_everything_and_leaves_neither_process_nor_port()
    {
        // Behind the ports that the system gives to connections, which one of them may hold at the moment.
        var offset = StackFixture.PortOffset + 1_000;
        var data = Directory.CreateTempSubdirectory("platform-e2e-ctrl-c-").FullName;
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(data, File.GetUnixFileMode(data) | UnixFileMode.OtherExecute);
        using var client = new ControlClient(new DataFolder(data).Socket);
        // Whoever runs the tests in the background of a shell may have told them to ignore Ctrl-C.
        var up = ToolRun.RunAsync("env", [.. OperatingSystem.IsLinux() ? (string[])["--default-signal=INT"] : [], "bash", Path.Combine(stack.Root, "platform"), "up", "--no-build", "--port-offset", offset.ToString(CultureInfo.InvariantCulture), "--data-dir", data], stack.Root,
            Cancel, limit: TimeSpan.FromMinutes(4));
        using var interval = new PeriodicTimer(Look);
        StackStatus? status;
        while ((status = await client.StatusAsync(Cancel)) is not { Healthy: true } && !up.IsCompleted)
            await interval.WaitForNextTickAsync(Cancel);
        Assert.True(status is { Healthy: true }, up.IsCompleted ? (await up).Output : "");
        var processes = status!.Apps.Select(a => a.Pid!.Value).Append(status.Postgres!.Pid!.Value).SelectMany(ProcessTable.Tree).Select(ProcessTable.Find).ToList();
        int[] ports = [.. status.Apps.SelectMany(a => (int[])[a.DaprHttpPort, a.DaprGrpcPort]), status.Postgres.Port];

        Signals.Send(status.Pid!.Value, Signal.Interrupt);

        var ended = await up;
        Assert.True(ended.ExitCode == 0, $"ended with {ended.ExitCode}:\n{ended.Output}");
        Assert.Empty(processes.Where(p => p is { } identity && ProcessTable.IsAlive(identity)).Select(p => $"{p!.Value.Pid} {ProcessTable.Command(p.Value.Pid)}"));
        Assert.Empty(PortOwners.Of(ports));
        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task The_other_languages_service_tells_the_customer_once_and_nothing_goes_to_dead_letters()
    {
        var logged = stack.LogOf("notifications").Length;
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(1));
        using var customer = new DaprPlatform.Cli.Retail.Customer(gateway, $"told-{Guid.NewGuid():N}@example.test", "Told-Passw0rd-1");
        await customer.RegisterAsync("Told", Cancel);
        var order = new JsonObject
        {
            ["items"] = new JsonArray(new JsonObject { ["productId"] = await stack.PlentyAsync(gateway, Cancel), ["quantity"] = 1 }),
            ["shippingAddress"] = "1 Message Street, Told City",
        };
        var placed = await customer.SendAsync(HttpMethod.Post, "api/v1/orders", order, Cancel, ("Idempotency-Key", Guid.NewGuid().ToString()));
        Assert.True(placed.Succeeded, placed.ToString());

        using var interval = new PeriodicTimer(Look);
        JsonArray messages;
        while ((messages = (await customer.SendAsync(HttpMethod.Get, "api/v1/notifications", null, Cancel)).Data!.AsArray()).Count < 2)
            await interval.WaitForNextTickAsync(Cancel);

        Assert.Equal(["order_confirmed", "welcome"], messages.Select(m => (string?)m!["type"]).Order(StringComparer.Ordinal));
        Assert.DoesNotContain("was not handled", stack.LogOf("notifications")[logged..], StringComparison.Ordinal);
    }

    private async Task<T> UntilAsync<T>(Func<StackStatus, T> of, Func<T, bool> reached)
    {
        using var interval = new PeriodicTimer(Look);
        T current;
        while (!reached(current = of(await stack.RefreshAsync(Cancel))))
            await interval.WaitForNextTickAsync(Cancel);
        return current;
    }
}
