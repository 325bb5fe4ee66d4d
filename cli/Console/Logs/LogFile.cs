using System.Text;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Postgres;

namespace DaprPlatform.Cli.OpsConsole.Logs;

/// <summary>One log file. Its identity is that of its first line, so that it stays the same when the file is moved aside.</summary>
/// <param name="Path">Where it lies now.</param>
/// <param name="App">Whose it is.</param>
/// <param name="Source">What wrote it.</param>
internal sealed record LogFile(string Path, string App, LogSource Source)
{
    private const string SidecarSuffix = ".daprd";

    /// <summary>All there are, those moved aside included.</summary>
    public static IReadOnlyList<LogFile> All(DataFolder data)
    {
        var files = new List<LogFile>();
        if (Directory.Exists(data.Logs))
        {
            foreach (var path in Directory.EnumerateFiles(data.Logs))
            {
                var name = System.IO.Path.GetFileName(path);
                if (name.EndsWith(".log.1", StringComparison.Ordinal))
                    name = name[..^".log.1".Length];
                else if (name.EndsWith(".log", StringComparison.Ordinal))
                    name = name[..^".log".Length];
                else
                    continue;
                files.Add(Of(path, name));
            }
        }

        if (PostgresServer.FindLog(data.Path) is { } postgres)
            files.Add(new LogFile(postgres, PostgresServer.ProgramName, LogSource.Postgres));
        return files;
    }

    public static FileStream? TryOpen(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>0: it has no whole line yet.</summary>
    public ulong Identity(FileStream stream)
    {
        const int most = 256;
        Span<byte> start = stackalloc byte[most];
        stream.Position = 0;
        var read = stream.ReadAtLeast(start, most, throwOnEndOfStream: false);
        var line = start[..read].IndexOf((byte)'\n');
        if (line < 0 && read < most)
            return 0;
        var hash = 14695981039346656037UL;
        foreach (var b in line >= 0 ? start[..(line + 1)] : start)
            hash = (hash ^ b) * 1099511628211UL;
        foreach (var b in Encoding.UTF8.GetBytes($"{App}/{Source}"))
            hash = (hash ^ b) * 1099511628211UL;
        return hash | 1;
    }

    private static LogFile Of(string path, string name) => name switch
    {
        "platform" => new LogFile(path, name, LogSource.Platform),
        _ when name.EndsWith(SidecarSuffix, StringComparison.Ordinal) => new LogFile(path, name[..^SidecarSuffix.Length], LogSource.Sidecar),
        _ => new LogFile(path, name, LogSource.App),
    };
}
