using System.Diagnostics;

namespace DaprPlatform.Cli.Processes;

/// <param name="Instances">Processes of the tree.</param>
/// <param name="ResidentBytes">Of all of them.</param>
/// <param name="CpuPercent">Of one processor since the measurement before; null at the first and where the system does not tell.</param>
internal sealed record ProcessUsage(int Instances, long ResidentBytes, double? CpuPercent);

/// <summary>Memory and processor time of several process trees with one look at the process table. What is asked for again within a moment is answered from memory.</summary>
internal sealed class ProcessSampler
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private readonly Lock _lock = new();
    private Dictionary<int, (TimeSpan Time, ProcessUsage Usage)> _last = [];
    private long _at;

    public IReadOnlyDictionary<int, ProcessUsage> Measure(IReadOnlyCollection<int> roots)
    {
        lock (_lock)
        {
            var elapsed = Stopwatch.GetElapsedTime(_at);
            if (_at == 0 || elapsed > Fresh || roots.Any(r => !_last.ContainsKey(r)))
            {
                var trees = ProcessTable.Trees(roots);
                var now = new Dictionary<int, (TimeSpan, ProcessUsage)>();
                foreach (var root in roots)
                {
                    var time = ProcessTable.ProcessorTime(trees[root]);
                    double? percent = OperatingSystem.IsLinux() && elapsed > Fresh && _last.TryGetValue(root, out var before) && time >= before.Time
                        ? Math.Round((time - before.Time) / elapsed * 100, 1)
                        : _last.TryGetValue(root, out before) ? before.Usage.CpuPercent : null;
                    now[root] = (elapsed > Fresh || !_last.ContainsKey(root) ? time : before.Time, new ProcessUsage(trees[root].Count, trees[root].Sum(ProcessTable.ResidentBytes), percent));
                }

                if (elapsed > Fresh || _at == 0)
                    _at = Stopwatch.GetTimestamp();
                _last = now;
            }

            return roots.Distinct().ToDictionary(r => r, r => _last[r].Usage);
        }
    }
}
