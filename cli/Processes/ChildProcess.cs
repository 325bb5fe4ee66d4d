using System.ComponentModel;
using System.Diagnostics;

namespace DaprPlatform.Cli.Processes;

/// <summary>How a child is started. <paramref name="LogFile"/> gets both of its streams, appended.</summary>
internal sealed record ChildStart(string FileName, IReadOnlyList<string> Arguments, string WorkingDirectory, string LogFile)
{
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The account to run as; only root can choose.</summary>
    public string? UserName { get; init; }

    public Signal StopSignal { get; init; } = Signal.Terminate;

    /// <summary>Lent to the child, which finds it in <see cref="KeptPort.Variable"/>.</summary>
    public KeptPort? Port { get; init; }
}

/// <summary>A process that we started: a session of its own, so that a Ctrl-C in our terminal does not reach it and its whole group can be ended.</summary>
internal sealed class ChildProcess : IRunningProgram, IDisposable
{
    // The child writes its log itself: nothing of ours stands between, and what it says while we are gone is kept.
    private const string Redirect = "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null";
    private static readonly string? SetSid = new[] { "/usr/bin/setsid", "/bin/setsid", "/usr/local/bin/setsid" }.FirstOrDefault(File.Exists);

    // A descriptor that is lent goes to whichever child is started meanwhile: one at a time.
    private static readonly Lock Starting = new();

    private readonly Process _process;
    private readonly Signal _stopSignal;
    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProcess(Process process, Signal stopSignal)
    {
        _process = process;
        _stopSignal = stopSignal;
    }

    public int Pid { get; private set; }

    public ProcessIdentity Identity { get; private set; }

    public Task<int> Exited => _exited.Task;

    /// <exception cref="Win32Exception">The program could not be started.</exception>
    public static ChildProcess Start(ChildStart start)
    {
        var info = new ProcessStartInfo { WorkingDirectory = start.WorkingDirectory, UseShellExecute = false };
        if (OperatingSystem.IsWindows())
        {
            info.FileName = start.FileName;
            info.RedirectStandardOutput = info.RedirectStandardError = info.RedirectStandardInput = true;
        }
        else
        {
            info.FileName = SetSid ?? "/bin/sh";
            if (SetSid is not null)
                info.ArgumentList.Add("/bin/sh");
            foreach (var argument in (string[])["-c", Redirect, "sh", start.LogFile, start.FileName])
                info.ArgumentList.Add(argument);
        }

        foreach (var argument in start.Arguments)
            info.ArgumentList.Add(argument);
        foreach (var (name, value) in start.Environment)
            info.Environment[name] = value;
        if (start.Port is { } kept)
            info.Environment[KeptPort.Variable] = kept.Handles;
        if (start.UserName is not null)
            info.UserName = start.UserName;

        var child = new ChildProcess(new Process { StartInfo = info, EnableRaisingEvents = true }, start.StopSignal);
        child._process.Exited += (_, _) => child._exited.TrySetResult(child._process.ExitCode);
        Launch(child._process, start.Port);
        child.Pid = child._process.Id;
        child.Identity = ProcessTable.Find(child.Pid) ?? new ProcessIdentity(child.Pid, 0);
        if (OperatingSystem.IsWindows())
            child.PumpInto(start.LogFile);
        return child;
    }

    /// <summary>Starts any process of ours.</summary>
    public static void Launch(Process process, KeptPort? port = null)
    {
        lock (Starting)
        {
            port?.Lend(true);
            try
            {
                process.Start();
            }
            finally
            {
                port?.Lend(false);
            }
        }
    }

    public async Task StopAsync(TimeSpan grace, TimeProvider time)
    {
        if (!Exited.IsCompleted)
        {
            Signals.SendToGroup(Pid, _stopSignal);
            try
            {
                await Exited.WaitAsync(grace, time);
            }
            catch (TimeoutException)
            {
                await Leftovers.KillAsync([Identity], CancellationToken.None);
                await Exited;
            }
        }

        // What it started and left behind goes with it.
        if (!OperatingSystem.IsWindows() && SetSid is not null)
            Signals.SendToGroup(Pid, Signal.Kill);
    }

    public void Dispose() => _process.Dispose();

    private void PumpInto(string logFile)
    {
        var log = TextWriter.Synchronized(new StreamWriter(logFile, append: true) { AutoFlush = true });
        _process.OutputDataReceived += (_, line) => { if (line.Data is not null) log.WriteLine(line.Data); };
        _process.ErrorDataReceived += (_, line) => { if (line.Data is not null) log.WriteLine(line.Data); };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        _process.StandardInput.Close();
        _ = Exited.ContinueWith(_ => log.Dispose(), TaskScheduler.Default);
    }
}
