using System.Collections.Frozen;

namespace DaprPlatform.Sidecar.Actors.Placement;

/// <summary>A sidecar as placement knows it.</summary>
/// <param name="Id">Of this run of the sidecar alone.</param>
/// <param name="Address">Where other processes reach its internal port.</param>
/// <param name="Types">Actor types it hosts.</param>
internal sealed record ActorHost(string Id, string AppId, string Address, IReadOnlyList<string> Types);

/// <summary>
/// Which sidecar hosts which actor. Everybody with the same table gives the same answer: of the hosts of a type the one with the highest score for the id
/// (rendezvous hashing), so that a host that comes or goes moves no more actors than it has to. Immutable.
/// </summary>
internal sealed class PlacementTable
{
    private readonly FrozenDictionary<string, (ulong Seed, ActorHost Host)[]> _types;

    public PlacementTable(long version, IReadOnlyList<ActorHost> hosts)
    {
        Version = version;
        Hosts = hosts;
        _types = hosts.SelectMany(h => h.Types.Distinct(StringComparer.Ordinal).Select(t => (Type: t, Host: h)))
            .GroupBy(p => p.Type, StringComparer.Ordinal)
            .ToFrozenDictionary(g => g.Key, g => g.Select(p => (Hash(p.Host.Id, 0), p.Host)).OrderBy(p => p.Host.Id, StringComparer.Ordinal).ToArray(), StringComparer.Ordinal);
    }

    public static PlacementTable Empty { get; } = new(0, []);

    public long Version { get; }

    /// <summary>Hosts with at least one type.</summary>
    public IReadOnlyList<ActorHost> Hosts { get; }

    /// <summary>Null where nobody hosts the type.</summary>
    public ActorHost? Find(string type, string id)
    {
        if (!_types.TryGetValue(type, out var hosts))
            return null;
        if (hosts.Length == 1)
            return hosts[0].Host;
        var key = Hash(id, Hash(type, 0));
        var (best, host) = (0UL, hosts[0].Host);
        foreach (var (seed, candidate) in hosts)
        {
            var score = Mix(seed ^ key);
            if (score > best)
                (best, host) = (score, candidate);
        }

        return host;
    }

    // The same in every process: FNV-1a over UTF-16, then mixed.
    private static ulong Hash(string text, ulong seed)
    {
        var hash = 14695981039346656037UL ^ seed;
        foreach (var c in text)
        {
            hash = (hash ^ (byte)c) * 1099511628211UL;
            hash = (hash ^ (byte)(c >> 8)) * 1099511628211UL;
        }

        return Mix(hash);
    }

    // SplitMix64's finaliser.
    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9UL;
        value = (value ^ (value >> 27)) * 0x94d049bb133111ebUL;
        return value ^ (value >> 31);
    }
}
