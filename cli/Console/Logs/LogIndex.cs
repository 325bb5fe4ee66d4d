using System.Collections.Concurrent;

namespace DaprPlatform.Cli.OpsConsole.Logs;

/// <summary>
/// What a block of a log file holds, learnt when it is read for the first time: the worst level of the entries that begin in it, and a Bloom filter of their
/// traces. A search for either reads only the blocks that can have it. Some 560 bytes for 64 KB of log; when it has grown to 16,384 blocks (1 GB of log) it begins anew.
/// </summary>
internal sealed class LogIndex
{
    public const int BlockBytes = 64 << 10;
    private const int MostBlocks = 16_384;
    private readonly ConcurrentDictionary<(ulong File, long Block), Summary> _blocks = new();

    public bool CanHave(ulong file, long block, LogFilter filter, ulong trace) =>
        !_blocks.TryGetValue((file, block), out var summary) || (summary.Worst >= (int)filter.Level && (trace == 0 || summary.MayHave(trace)));

    public void Learn(ulong file, long block, Summary summary)
    {
        if (_blocks.Count >= MostBlocks)
            _blocks.Clear();
        _blocks[(file, block)] = summary;
    }

    internal sealed class Summary
    {
        private const int Words = 64;
        private readonly ulong[] _bits = new ulong[Words];

        /// <summary>Below any level while no entry begins in the block.</summary>
        public int Worst { get; private set; } = -1;

        public void Add(LogGlance glance)
        {
            Worst = Math.Max(Worst, (int)glance.Level);
            if (glance.TraceHash == 0)
                return;
            Set((int)(glance.TraceHash >> 11));
            Set((int)(glance.TraceHash >> 37));

            void Set(int at) => _bits[(at >> 6) & (Words - 1)] |= 1UL << (at & 63);
        }

        public bool MayHave(ulong trace)
        {
            return Has((int)(trace >> 11)) && Has((int)(trace >> 37));

            bool Has(int at) => (_bits[(at >> 6) & (Words - 1)] & (1UL << (at & 63))) != 0;
        }
    }
}

/// <summary>How many bytes one request may read; a search that finds nothing must not read a gigabyte in one go.</summary>
internal sealed class ReadBudget(long bytes)
{
    public long Read { get; private set; }

    public bool IsSpent => Read >= bytes;

    public void Spend(long read) => Read += read;
}
