using System.Formats.Tar;

namespace DaprPlatform.Cli.Building.Images;

/// <summary>
/// Files for a tar archive that is the same bytes for the same files, whoever makes it and when: sorted, owned by root, dated 1970, modes of two kinds only.
/// </summary>
internal sealed class TarTree
{
    private const UnixFileMode Plain = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Executable = Plain | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode Everybody = Executable | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite | UnixFileMode.StickyBit;

    private readonly SortedDictionary<string, Item> _items = new(StringComparer.Ordinal);

    private sealed record Item(TarEntryType Type, UnixFileMode Mode, string? Source = null, byte[]? Content = null, string? Link = null);

    /// <summary>Paths in the archive, without a leading slash.</summary>
    public IEnumerable<string> Paths => _items.Keys;

    public void File(string path, string source) => Add(path, new Item(TarEntryType.RegularFile, IsExecutable(source) ? Executable : Plain, Source: source));

    public void Text(string path, string content) => Add(path, new Item(TarEntryType.RegularFile, Plain, Content: System.Text.Encoding.UTF8.GetBytes(content)));

    public void Link(string path, string target) => Add(path, new Item(TarEntryType.SymbolicLink, Executable | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite, Link: target));

    public void Folder(string path, bool writable = false) => Add(path, new Item(TarEntryType.Directory, writable ? Everybody : Executable));

    /// <summary>A folder with everything in it; links stay links.</summary>
    public void Tree(string path, string source, Func<string, bool>? wanted = null)
    {
        foreach (var entry in new DirectoryInfo(source).EnumerateFileSystemInfos("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }))
        {
            var relative = Path.GetRelativePath(source, entry.FullName);
            if (wanted?.Invoke(relative) == false)
                continue;
            var to = $"{path}/{relative}";
            if (entry.LinkTarget is { } link)
                Link(to, link);
            else if (entry is FileInfo)
                File(to, entry.FullName);
        }
    }

    /// <summary>Writes the archive; the stream stays open.</summary>
    public async Task WriteAsync(Stream stream, CancellationToken cancel)
    {
        // GNU's format: the other one for long names writes the writer's process id.
        await using var tar = new TarWriter(stream, TarEntryFormat.Gnu, leaveOpen: true);
        foreach (var (path, item) in _items)
        {
            var entry = new GnuTarEntry(item.Type, item.Type == TarEntryType.Directory ? path + "/" : path)
            {
                Mode = item.Mode,
                ModificationTime = DateTimeOffset.UnixEpoch,
                AccessTime = DateTimeOffset.UnixEpoch,
                ChangeTime = DateTimeOffset.UnixEpoch,
            };
            if (item.Link is not null)
                entry.LinkName = item.Link;
            await using Stream? data = item.Source is not null ? System.IO.File.OpenRead(item.Source) : item.Content is not null ? new MemoryStream(item.Content) : null;
            if (data is not null)
                entry.DataStream = data;
            await tar.WriteEntryAsync(entry, cancel);
        }
    }

    private void Add(string path, Item item)
    {
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash > 0; slash = path.IndexOf('/', slash + 1))
            _items.TryAdd(path[..slash], new Item(TarEntryType.Directory, Executable));
        _items[path] = item;
    }

    private static bool IsExecutable(string file) => OperatingSystem.IsWindows() || (System.IO.File.GetUnixFileMode(file) & UnixFileMode.UserExecute) != 0;
}
