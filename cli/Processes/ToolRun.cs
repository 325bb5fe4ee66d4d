using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace DaprPlatform.Cli.Processes;

/// <summary>What a tool said (both streams in the order of arrival) and how it ended.</summary>
internal sealed record ToolResult(int ExitCode, string Output)
{
    public bool Succeeded => ExitCode == 0;
}

/// <summary>Runs a tool to its end, without standard input.</summary>
internal static class ToolRun
{
    /// <param name="line">Called for each line as it comes; null keeps them for the result only.</param>
    /// <param name="limit">After this long the tool and what it started are ended and the exit code is -1.</param>
    /// <exception cref="CommandException">There is no such tool.</exception>
    public static async Task<ToolResult> RunAsync(string fileName, IEnumerable<string> arguments, string workingDirectory, CancellationToken cancel,
        IReadOnlyDictionary<string, string>? environment = null, Action<string>? line = null, TimeSpan? limit = null)
    {
        var info = new ProcessStartInfo(fileName, arguments)
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            info.Environment[name] = value;

        var output = new StringBuilder();
        void Take(string? text)
        {
            if (text is null)
                return;
            lock (output)
                output.Append(text).Append('\n');
            line?.Invoke(text);
        }

        using var process = new Process { StartInfo = info };
        process.OutputDataReceived += (_, e) => Take(e.Data);
        process.ErrorDataReceived += (_, e) => Take(e.Data);
        try
        {
            ChildProcess.Launch(process);
        }
        catch (Win32Exception e)
        {
            throw new CommandException($"{fileName} cannot be started: {e.Message}", e);
        }

        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        if (limit is { } longest)
            deadline.CancelAfter(longest);
        var exitCode = -1;
        try
        {
            // Not WaitForExitAsync: that also waits for the streams, which a build server left behind may hold open for minutes.
            var exited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            process.EnableRaisingEvents = true;
            process.Exited += (_, _) => exited.TrySetResult();
            if (process.HasExited)
                exited.TrySetResult();
            await exited.Task.WaitAsync(deadline.Token);
            exitCode = process.ExitCode;
            await WaitForStreamsAsync(process);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancel.ThrowIfCancellationRequested();
            Take($"ended after {limit}");
        }

        lock (output)
            return new ToolResult(exitCode, output.ToString());
    }

    private static async Task WaitForStreamsAsync(Process process)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            Trace.WriteLine($"{process.StartInfo.FileName} has left a process behind that holds its output.");
        }
    }
}
