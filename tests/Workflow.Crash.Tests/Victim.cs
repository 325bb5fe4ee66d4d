using System.Diagnostics;

namespace DaprPlatform.Workflow.Crash.Tests;

/// <summary>A process of this program that is killed and started again.</summary>
internal sealed class Victim(string command, string folder, params string[] arguments) : IDisposable
{
    private Process? _process;
    private TaskCompletionSource _up = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Kills { get; private set; }

    /// <summary>Ends when the process runs: at once while it does.</summary>
    public Task Up => Volatile.Read(ref _up).Task;

    /// <param name="ready">Wait for its first line.</param>
    public async Task StartAsync(bool ready, CancellationToken cancel)
    {
        // These tests are a program of their own, or one that `dotnet` runs.
        var self = Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? new[] { typeof(Victim).Assembly.Location } : [];
        var start = new ProcessStartInfo(Environment.ProcessPath!, [.. self, command, .. arguments]) { RedirectStandardOutput = true };
        start.Environment["DAPR_PLATFORM_DIR"] = folder;
        _process = Process.Start(start)!;
        if (ready && await _process.StandardOutput.ReadLineAsync(cancel) is null)
            throw new InvalidOperationException($"the {command} has ended");
        _up.SetResult();
    }

    /// <summary>SIGKILL; returns when the process is gone.</summary>
    public async Task KillAsync(CancellationToken cancel)
    {
        Volatile.Write(ref _up, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _process!.Kill();
        await _process.WaitForExitAsync(cancel);
        _process.Dispose();
        _process = null;
        Kills++;
    }

    public void Dispose()
    {
        _process?.Kill();
        _process?.WaitForExit();
        _process?.Dispose();
    }
}
