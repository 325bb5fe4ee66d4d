using System.Security.Cryptography;
using System.Text;

namespace DaprPlatform.Cli.Control;

/// <summary>The folder that holds everything of one stack: <c>.platform/</c> beside its run file unless told otherwise.</summary>
internal sealed class DataFolder
{
    // The address of a unix socket holds 108 bytes on Linux and 104 on macOS.
    private const int LongestSocketPath = 100;

    public DataFolder(string path) => Path = System.IO.Path.GetFullPath(path);

    public string Path { get; }

    public string Logs => System.IO.Path.Combine(Path, "logs");

    /// <summary>The embedded runtime's database.</summary>
    public string Runtime => System.IO.Path.Combine(Path, "runtime");

    public string PlatformLog => LogOf("platform");

    public string Socket
    {
        get
        {
            var inside = System.IO.Path.Combine(Path, "control.sock");
            if (Encoding.UTF8.GetByteCount(inside) <= LongestSocketPath)
                return inside;
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path)).AsSpan(0, 8));
            return System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"platform-{hash}.sock");
        }
    }

    public static DataFolder Choose(string? given, string runFile) =>
        new(given ?? System.IO.Path.Combine(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(runFile))!, ".platform"));

    public string LogOf(string name) => System.IO.Path.Combine(Logs, name + ".log");

    /// <summary>Held for as long as the platform lives, and given back by the system when it is killed. Null when another platform holds it.</summary>
    public FileStream? TryLock()
    {
        Directory.CreateDirectory(Logs);
        try
        {
            return new FileStream(System.IO.Path.Combine(Path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
