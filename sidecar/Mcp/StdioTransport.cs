using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Http;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>A server that is a child process: a message a line on its standard input and output. What it writes to its standard error goes to the log.</summary>
internal sealed partial class StdioTransport(string command, IReadOnlyList<string> arguments, IReadOnlyList<KeyValuePair<string, string>> environment, ILogger logger) : IMcpTransport
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);
    private readonly SemaphoreSlim _writing = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private Process? _process;
    private Task _reading = Task.CompletedTask;
    private Task _logging = Task.CompletedTask;

    public string? ProtocolVersion { get; set; }

    public Task OpenAsync(Action<JsonObject> received, Action<Exception> closed, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(command, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        try
        {
            _process = Process.Start(start) ?? throw new McpException($"the command {command} does not start");
        }
        catch (Exception e) when (e is Win32Exception or IOException or InvalidOperationException)
        {
            throw new McpException($"the command {command} does not start: {e.Message}", e);
        }

        _reading = ReadAsync(_process, received, closed);
        _logging = LogErrorsAsync(_process);
        return Task.CompletedTask;
    }

    public async Task SendAsync(JsonObject message, Func<bool>? isAnswered, CancellationToken cancellationToken)
    {
        var line = Encoding.UTF8.GetBytes(message.ToJsonString(Json.Options) + "\n");
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var input = _process!.StandardInput.BaseStream;
            // A line that is begun must be ended.
            await input.WriteAsync(line, CancellationToken.None).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
            await input.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            throw new McpClosedException($"the command {command} has ended", e);
        }
        finally
        {
            _writing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (_process is { } process)
        {
            try
            {
                // The end of its input is how a server learns that it is no longer wanted.
                process.StandardInput.Close();
                using var limit = new CancellationTokenSource(Grace);
                await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException)
            {
                process.Kill(entireProcessTree: true);
            }

            await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _logging.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            process.Dispose();
        }

        _stopping.Dispose();
        _writing.Dispose();
    }

    private async Task ReadAsync(Process process, Action<JsonObject> received, Action<Exception> closed)
    {
        try
        {
            await using var lines = new LineReader(process.StandardOutput.BaseStream);
            while (await lines.ReadAsync(_stopping.Token).ConfigureAwait(false) is { } line)
                McpMessages.Deliver(line, received);
            closed(new McpClosedException($"the command {command} has ended"));
        }
        catch (Exception e)
        {
            closed(e as McpException ?? new McpClosedException($"the command {command} has ended", e));
        }
    }

    private async Task LogErrorsAsync(Process process)
    {
        try
        {
            await using var lines = new LineReader(process.StandardError.BaseStream);
            while (await lines.ReadAsync(_stopping.Token).ConfigureAwait(false) is { } line)
                LogError(command, line);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or McpException)
        {
            // What it says is of interest only as long as it is there.
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "MCP server {Command}: {Line}")]
    private partial void LogError(string command, string line);
}
