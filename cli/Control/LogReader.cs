using System.Text;
using System.Threading.Channels;

namespace DaprPlatform.Cli.Control;

/// <summary>Prints the ends of log files, each line with the name of its file when there are several, and what is added to them.</summary>
internal sealed class LogReader(IReadOnlyDictionary<string, string> files, TextWriter output)
{
    private readonly int _width = files.Count > 1 ? files.Keys.Max(n => n.Length) : 0;
    private readonly Dictionary<string, long> _read = [];
    private readonly Dictionary<string, string> _rest = [];

    public async Task RunAsync(int lines, bool follow, CancellationToken cancel)
    {
        // The watchers first: what is written between the two would be missed otherwise.
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        var watchers = follow ? files.Values.Select(Path.GetDirectoryName).Distinct().Select(folder => Watch(folder!, changes)).ToList() : [];
        try
        {
            foreach (var (name, file) in files)
                PrintEnd(name, file, lines);
            if (!follow)
                return;
            do
            {
                foreach (var (name, file) in files)
                    PrintNew(name, file);
            }
            while (await changes.Reader.WaitToReadAsync(cancel) && changes.Reader.TryRead(out _));
        }
        finally
        {
            foreach (var watcher in watchers)
                watcher.Dispose();
        }
    }

    private static FileSystemWatcher Watch(string folder, Channel<bool> changes)
    {
        var watcher = new FileSystemWatcher(folder, "*.log") { NotifyFilter = NotifyFilters.Size | NotifyFilters.LastWrite | NotifyFilters.FileName };
        watcher.Changed += (_, _) => changes.Writer.TryWrite(true);
        watcher.Created += (_, _) => changes.Writer.TryWrite(true);
        watcher.EnableRaisingEvents = true;
        return watcher;
    }

    private void PrintEnd(string name, string file, int lines)
    {
        const int block = 64 << 10;
        using var stream = Open(file);
        if (stream is null)
            return;
        var start = stream.Length;
        var text = "";
        while (start > 0 && text.Count(c => c == '\n') <= lines)
        {
            start = Math.Max(0, start - block);
            stream.Position = start;
            text = new StreamReader(stream, Encoding.UTF8).ReadToEnd();
        }

        _read[name] = stream.Length;
        foreach (var line in text.TrimEnd('\n').Split('\n').TakeLast(lines).Where(l => l.Length > 0))
            Print(name, line);
    }

    private void PrintNew(string name, string file)
    {
        using var stream = Open(file);
        if (stream is null)
            return;
        var from = _read.GetValueOrDefault(name);
        if (stream.Length < from)
            from = 0; // A new file in the place of the old one.
        stream.Position = from;
        var text = _rest.GetValueOrDefault(name, "") + new StreamReader(stream, Encoding.UTF8).ReadToEnd();
        _read[name] = stream.Position;
        var lines = text.Split('\n');
        foreach (var line in lines.SkipLast(1))
            Print(name, line);
        _rest[name] = lines[^1];
    }

    private void Print(string name, string line) => output.WriteLine(_width > 0 ? $"{name.PadRight(_width)} | {line.TrimEnd('\r')}" : line.TrimEnd('\r'));

    private static FileStream? Open(string file) =>
        File.Exists(file) ? new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete) : null;
}
