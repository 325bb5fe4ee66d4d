using System.Diagnostics;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using DaprPlatform.Sidecar.Hosting;

namespace DaprPlatform.Sidecar.StandIns;

/// <summary>The files of a stand-in process.</summary>
internal sealed class StandInFiles(string directory)
{
    // Linux allows 108 bytes for the path of a socket, macOS 104.
    private const int LongestSocketPath = 100;

    public string Directory => directory;

    public string Data => Path.Combine(directory, "data");

    /// <summary>Locked by the process while it lives.</summary>
    public string Lock => Path.Combine(directory, "stand-in.lock");

    /// <summary>Locked by who starts the process, so that of many sidecars one does.</summary>
    public string StartLock => Path.Combine(directory, "stand-in.start");

    public string Log => Path.Combine(directory, "stand-in.log");

    public string Socket
    {
        get
        {
            var path = Path.Combine(directory, "stand-in.sock");
            return Encoding.UTF8.GetByteCount(path) <= LongestSocketPath
                ? path
                : Path.Combine(Path.GetTempPath(), $"dapr-{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(directory)), 0, 8)}.sock");
        }
    }

    /// <summary>The files in the folder that all sidecars of the engine's options share. The number is that of the protocol between sidecars and stand-in.</summary>
    public static StandInFiles Of(EngineOptions options) => new(Path.GetFullPath(Path.Combine(options.DataDirectory ?? EngineOptions.MachineDirectory, "stand-ins-1")));
}

/// <summary>Connects to the stand-in process; starts it, detached, where none runs.</summary>
internal sealed class StandInLauncher(EngineOptions options)
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);
    private readonly StandInFiles _files = StandInFiles.Of(options);
    private readonly SemaphoreSlim _starting = new(1);

    /// <exception cref="StandInException">It does not come up.</exception>
    public async ValueTask<Stream> ConnectAsync(CancellationToken cancellationToken)
    {
        if (await TryConnectAsync(_files.Socket, cancellationToken).ConfigureAwait(false) is { } running)
            return running;
        await _starting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var began = Stopwatch.GetTimestamp();
            Directory.CreateDirectory(_files.Directory);
            var started = false;
            while (true)
            {
                if (await TryConnectAsync(_files.Socket, cancellationToken).ConfigureAwait(false) is { } stream)
                    return stream;
                if (Stopwatch.GetElapsedTime(began) > StartLimit)
                    throw new StandInException($"the stand-in process for {_files.Directory} does not answer; its log is {_files.Log}");
                if (!started && TryLock(_files.StartLock) is { } startLock)
                {
                    using (startLock)
                    {
                        // Another sidecar may have started it and given the lock free in between.
                        if (await TryConnectAsync(_files.Socket, cancellationToken).ConfigureAwait(false) is { } meanwhile)
                            return meanwhile;
                        started = await StartAsync(cancellationToken).ConfigureAwait(false);
                    }

                    continue;
                }

                // A start by another sidecar, or the end of the last process, takes a moment.
                await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
                started = false;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
        {
            throw new StandInException($"the stand-in process cannot be started: {e.Message}", e);
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>Takes a file for this process alone until it is disposed of or the process ends; null when another has it.</summary>
    public static FileStream? TryLock(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1);
        }
        catch (IOException)
        {
            return null;
        }
    }

    public static async ValueTask<NetworkStream?> TryConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    // True when the process says that it listens; false when it ended, because another one holds the folder or it failed.
    private async Task<bool> StartAsync(CancellationToken cancellationToken)
    {
        var command = options.StandInCommand ?? OwnCommand();
        var start = new ProcessStartInfo(command[0])
        {
            WorkingDirectory = _files.Directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in command.Skip(1).Concat(["stand-in", "--directory", _files.Directory]))
            start.ArgumentList.Add(argument);

        // The process outlives the sidecar and belongs to none: it gets nothing of this one's environment that is the sidecar's business.
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("DAPR", StringComparison.OrdinalIgnoreCase) || n.StartsWith("APP_", StringComparison.Ordinal) || n.StartsWith("OTEL_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        start.Environment["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        using var process = Process.Start(start) ?? throw new StandInException($"cannot start {command[0]}");
        process.StandardInput.Close();
        return await process.StandardOutput.ReadLineAsync(cancellationToken).ConfigureAwait(false) == StandInProcess.Ready;
    }

    // This very program, whether it is an executable of its own or run by `dotnet`.
    private static string[] OwnCommand()
    {
        var path = Environment.ProcessPath ?? throw new StandInException("the path of this program is not known");
        return Path.GetFileNameWithoutExtension(path).Equals("dotnet", StringComparison.OrdinalIgnoreCase) && Assembly.GetEntryAssembly()?.GetName().Name is { } assembly
            ? [path, Path.Combine(AppContext.BaseDirectory, assembly + ".dll")]
            : [path];
    }
}
