using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>The memory that the databases of this process take outside the managed heap: page caches, which grow to their limit in every burst and stay.</summary>
internal static partial class StoreMemory
{
    private static readonly ConcurrentDictionary<DurableStore, bool> Stores = new();

    public static void Add(DurableStore store) => Stores[store] = true;

    public static void Remove(DurableStore store) => Stores.TryRemove(store, out _);

    /// <summary>Empties the page caches of all open databases and gives what the allocator keeps back to the system. What is read next comes from the file.</summary>
    public static async Task ReleaseAsync()
    {
        foreach (var store in Stores.Keys)
            await store.ReleaseMemoryAsync().ConfigureAwait(false);
        try
        {
            if (OperatingSystem.IsLinux())
                _ = Trim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // Not the C library of GNU: its allocator gives memory back by itself.
        }
        catch (DllNotFoundException)
        {
            // Likewise.
        }
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nint keep);
}
