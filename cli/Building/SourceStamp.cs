using System.Security.Cryptography;
using System.Text;

namespace DaprPlatform.Cli.Building;

/// <summary>
/// Remembers which sources a build was made from: a digest over path, size and time of every file that a build may read,
/// so that the next start of an unchanged clone needs no build tool at all.
/// </summary>
internal sealed class SourceStamp(string file, IReadOnlyList<string> paths)
{
    // What a build itself writes among its sources is in folders called generated: it must not make the next build necessary.
    private static readonly HashSet<string> Skipped = ["node_modules", "bin", "obj", "artifacts", "dist", "generated", ".git", ".platform", ".dapr"];

    private static readonly HashSet<string> Sources =
        [".cs", ".csproj", ".props", ".targets", ".slnx", ".proto", ".json", ".ts", ".tsx", ".mjs", ".js", ".css", ".html", ".svg", ".sql", ".resx", ".editorconfig"];

    public bool IsCurrent() => File.Exists(file) && File.ReadAllText(file) == Digest();

    /// <summary>Taken before the build, so that what is edited during it counts as changed.</summary>
    public Taken Take() => new(file, Digest());

    private string Digest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var path in paths)
        {
            if (File.Exists(path))
                Add(hash, new FileInfo(path));
            else
                Add(hash, new DirectoryInfo(path));
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    private static void Add(IncrementalHash hash, DirectoryInfo folder)
    {
        if (!folder.Exists)
            return;
        foreach (var entry in folder.EnumerateFileSystemInfos().OrderBy(e => e.Name, StringComparer.Ordinal))
        {
            if (entry is DirectoryInfo child)
            {
                if (!Skipped.Contains(child.Name))
                    Add(hash, child);
            }
            else if (entry is FileInfo source && Sources.Contains(source.Extension))
            {
                Add(hash, source);
            }
        }
    }

    private static void Add(IncrementalHash hash, FileInfo source) =>
        hash.AppendData(Encoding.UTF8.GetBytes($"{source.FullName}|{source.Length}|{source.LastWriteTimeUtc.Ticks}\n"));

    internal readonly record struct Taken(string File, string Digest)
    {
        public void Save()
        {
            Directory.CreateDirectory(Path.GetDirectoryName(File)!);
            System.IO.File.WriteAllText(File, Digest);
        }
    }
}
