using System.Security.Cryptography;
using System.Text;

namespace DaprPlatform.Cli.Postgres;

/// <summary>
/// Where a server's files lie. Normally in the data folder; when the server runs as another account that cannot walk to
/// it (a clone below root's home), in a folder of that account with the data folder's path in its name.
/// </summary>
internal sealed record PostgresPlace(string Folder, PostgresBinaries Binaries, PostgresAccount? Account)
{
    private const string SystemFolder = "/var/lib/dapr-platform";
    private const long LogLimitBytes = 20 << 20;

    public string Cluster => Path.Combine(Folder, "data-" + Binaries.Version.Major);

    public string LogFile => LogIn(Folder);

    public static string LogIn(string folder) => Path.Combine(folder, "postgres.log");

    public static IEnumerable<string> ClustersIn(string folder) => Directory.Exists(folder) ? Directory.EnumerateDirectories(folder, "data-*") : [];

    /// <summary>Every folder that may hold files of the servers of a data folder.</summary>
    public static IReadOnlyList<string> All(string dataDirectory) => [Inside(dataDirectory), Elsewhere(dataDirectory)];

    public static PostgresPlace Choose(string dataDirectory, PostgresBinaries binaries, PostgresAccount? account)
    {
        var folder = Inside(dataDirectory);
        if (account is null)
        {
            Directory.CreateDirectory(folder);
            return new PostgresPlace(folder, binaries, null);
        }

        Directory.CreateDirectory(dataDirectory);
        if (!PostgresAccount.CanReach(dataDirectory))
            folder = Elsewhere(dataDirectory);
        Directory.CreateDirectory(folder);
        account.Own(folder);
        return new PostgresPlace(folder, PostgresAccount.CanReach(binaries.Folder) ? binaries : Copy(binaries), account);
    }

    /// <summary>Starts a new log when the old one has grown; one old log is kept.</summary>
    public void RotateLog()
    {
        var log = new FileInfo(LogFile);
        if (log.Exists && log.Length > LogLimitBytes)
            log.MoveTo(LogFile + ".1", overwrite: true);
    }

    private static string Inside(string dataDirectory) => Path.Combine(Path.GetFullPath(dataDirectory), "postgres");

    private static string Elsewhere(string dataDirectory)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(dataDirectory)));
        return Path.Combine(SystemFolder, Convert.ToHexStringLower(hash.AsSpan(0, 6)));
    }

    private static PostgresBinaries Copy(PostgresBinaries binaries)
    {
        var target = Path.Combine(SystemFolder, $"{binaries.Origin.Trim('/').Replace('/', '-')}-{binaries.Version}");
        if (!Directory.Exists(target))
        {
            var draft = $"{target}.{Environment.ProcessId}";
            CopyTree(new DirectoryInfo(binaries.Folder).Parent!, draft);
            Directory.Move(draft, target);
        }

        return binaries with { Folder = Path.Combine(target, Path.GetFileName(binaries.Folder)) };
    }

    private static void CopyTree(DirectoryInfo source, string target)
    {
        Directory.CreateDirectory(target);
        foreach (var file in source.EnumerateFiles())
        {
            var copy = Path.Combine(target, file.Name);
            if (file.LinkTarget is { } link)
                File.CreateSymbolicLink(copy, link);
            else
                file.CopyTo(copy);
        }

        foreach (var folder in source.EnumerateDirectories())
            CopyTree(folder, Path.Combine(target, folder.Name));
    }
}
