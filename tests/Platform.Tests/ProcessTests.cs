using System.Net;
using System.Net.Sockets;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.Cli.Tests;

public sealed class ProcessTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("platform-processes-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_owner_of_a_taken_port_is_named()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        var owner = Assert.Single(PortOwners.Of([port]));

        Assert.Equal((port, Environment.ProcessId), (owner.Port, owner.Pid));
        Assert.Contains("Platform.Tests", owner.Command, StringComparison.Ordinal);
    }

    [Fact]
    public void A_free_port_is_not_given_again_while_who_asked_first_may_not_have_opened_it()
    {
        var ports = Enumerable.Range(0, 800).Select(_ => PortOwners.FindFree()).ToArray();

        Assert.Equal(ports.Length, ports.Distinct().Count());
    }

    [Fact]
    public void Only_listeners_own_a_port()
    {
        string[] table =
        [
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0",
            "   1: 0100007F:1F91 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1",
        ];

        Assert.Equal([(8080, "4711")], PortOwners.Listeners(table));
    }

    [Fact]
    public async Task A_child_writes_its_log_itself_and_its_exit_code_is_seen()
    {
        var log = Path.Combine(_folder, "log");
        using var child = Start(log, "echo out; echo error >&2; exit 7");

        Assert.Equal(7, await child.Exited.WaitAsync(Cancel));
        Assert.Equal("out\nerror\n", await File.ReadAllTextAsync(log, Cancel));
    }

    [Fact]
    public async Task A_stop_takes_what_the_child_started_with_it()
    {
        var pidFile = Path.Combine(_folder, "pid");
        var log = Path.Combine(_folder, "log");
        using var child = Start(log, $"sleep 1000 & echo $! > {pidFile}; echo ready; wait");
        var grandchild = await PidInAsync(pidFile);

        await child.StopAsync(TimeSpan.FromSeconds(5), TimeProvider.System);

        Assert.False(ProcessTable.IsAlive(child.Identity));
        await Leftovers.EndAsync([grandchild], Signal.Terminate, TimeSpan.FromSeconds(5), Cancel);
        Assert.False(ProcessTable.IsAlive(grandchild));
    }

    [Fact]
    public async Task A_child_that_ignores_the_request_is_killed()
    {
        var log = Path.Combine(_folder, "log");
        var pidFile = Path.Combine(_folder, "pid");
        using var child = Start(log, $"trap '' TERM; echo $$ > {pidFile}; while true; do sleep 1000; done");
        await PidInAsync(pidFile);

        await child.StopAsync(TimeSpan.FromMilliseconds(50), TimeProvider.System);

        Assert.Equal(128 + 9, await child.Exited);
    }

    [Fact]
    public async Task What_a_killed_platform_left_is_found_and_ended()
    {
        var state = new RunState(_folder);
        using var recorded = Start(Path.Combine(_folder, "a"), "exec sleep 1000");
        using var marked = Start(Path.Combine(_folder, "b"), "exec sleep 1000", state.ChildEnvironment);
        state.Set("recorded", recorded.Identity);

        var next = new RunState(_folder);
        var ended = await next.EndLeftoversAsync(TimeSpan.FromSeconds(5), Cancel);

        Assert.Equal([recorded.Pid, marked.Pid], ended.Select(e => e.Process.Pid));
        Assert.Equal(128 + 15, await recorded.Exited.WaitAsync(Cancel));
        Assert.Equal(128 + 15, await marked.Exited.WaitAsync(Cancel));
    }

    [Fact]
    public async Task A_pid_that_was_given_again_is_left_alone()
    {
        var state = new RunState(_folder);
        using var other = Start(Path.Combine(_folder, "a"), "exec sleep 1000");
        state.Set("orders", other.Identity with { Started = other.Identity.Started - 1 });

        Assert.Empty(await new RunState(_folder).EndLeftoversAsync(TimeSpan.FromSeconds(5), Cancel));

        Assert.True(ProcessTable.IsAlive(other.Identity));
        await other.StopAsync(TimeSpan.Zero, TimeProvider.System);
    }

    private ChildProcess Start(string log, string script, IReadOnlyDictionary<string, string>? environment = null) =>
        ChildProcess.Start(new ChildStart("/bin/sh", ["-c", script], _folder, log) { Environment = environment ?? new Dictionary<string, string>() });

    private async Task<ProcessIdentity> PidInAsync(string file)
    {
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var watcher = new FileSystemWatcher(_folder) { NotifyFilter = NotifyFilters.LastWrite | NotifyFilters.FileName | NotifyFilters.Size };
        watcher.Changed += (_, _) => Look();
        watcher.Created += (_, _) => Look();
        watcher.EnableRaisingEvents = true;
        Look();
        await written.Task.WaitAsync(Cancel);
        return ProcessTable.Find(int.Parse(await File.ReadAllTextAsync(file, Cancel), System.Globalization.CultureInfo.InvariantCulture))!.Value;

        void Look()
        {
            if (File.Exists(file) && File.ReadAllText(file).EndsWith('\n'))
                written.TrySetResult();
        }
    }
}
