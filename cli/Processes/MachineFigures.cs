using System.Diagnostics;
using System.Globalization;
using DaprPlatform.Cli.Control;

namespace DaprPlatform.Cli.Processes;

/// <summary>What the operating system says of the whole machine.</summary>
internal static class MachineFigures
{
    private const long BytesPerKilobyte = 1024;

    /// <param name="folder">On the disk that is meant.</param>
    public static MachineStatus Read(string folder)
    {
        var (total, available) = Memory();
        var (disk, free) = Disk(folder);
        return new MachineStatus(Environment.ProcessorCount, Load(), total, available, disk, free);
    }

    private static double? Load()
    {
        try
        {
            return OperatingSystem.IsLinux() ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    private static (long Total, long Available) Memory()
    {
        var (total, available) = (0L, 0L);
        try
        {
            foreach (var line in OperatingSystem.IsLinux() ? File.ReadLines("/proc/meminfo").Take(5) : [])
            {
                if (line.StartsWith("MemTotal:", StringComparison.Ordinal))
                    total = Kilobytes(line);
                else if (line.StartsWith("MemAvailable:", StringComparison.Ordinal))
                    available = Kilobytes(line);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            total = 0;
        }

        return total > 0 ? (total, available) : (GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - GC.GetGCMemoryInfo().MemoryLoadBytes);

        static long Kilobytes(string line) => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * BytesPerKilobyte;
    }

    private static (long Total, long Free) Disk(string folder)
    {
        try
        {
            var drive = new DriveInfo(folder);
            return (drive.TotalSize, drive.AvailableFreeSpace);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return (0, 0);
        }
    }
}

/// <summary>Processor time of this process between two looks.</summary>
internal sealed class OwnProcessor
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private readonly Lock _lock = new();
    private (long At, TimeSpan Time) _last = (Stopwatch.GetTimestamp(), TimeSpan.Zero);
    private double? _percent;

    /// <summary>Of one processor; null at the first look.</summary>
    public double? CpuPercent()
    {
        lock (_lock)
        {
            var elapsed = Stopwatch.GetElapsedTime(_last.At);
            if (elapsed > Fresh)
            {
                var time = Environment.CpuUsage.TotalTime;
                if (_last.Time > TimeSpan.Zero)
                    _percent = Math.Round((time - _last.Time) / elapsed * 100, 1);
                _last = (Stopwatch.GetTimestamp(), time);
            }

            return _percent;
        }
    }
}
