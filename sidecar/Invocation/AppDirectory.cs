using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>
/// Where the sidecars of an app id are: those of this engine by reference, those of other processes on the machine by the address of their internal port.
/// Each sidecar keeps a file open and locked in <c>apps/&lt;app id&gt;/</c> of the machine's folder; the lock ends with its process however that ends, so a file
/// that can be locked belongs to nobody and is removed. The folder is read again when its time of modification has changed.
/// </summary>
internal sealed class AppDirectory
{
    private const int LongestName = 200;

    // Two changes within one tick of the file system's clock have the same time.
    private static readonly TimeSpan ClockGranularity = TimeSpan.FromMilliseconds(50);
    private readonly ConcurrentDictionary<string, ImmutableArray<SidecarRuntime>> _own = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Known> _others = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StrongBox> _turns = new(StringComparer.Ordinal);
    private readonly string _root = Path.Combine(EngineOptions.MachineDirectory, "apps");

    /// <summary>Makes a sidecar known, from now until the registration is disposed of.</summary>
    /// <param name="internalAddress">Where other processes reach it.</param>
    /// <exception cref="IOException">The machine's folder cannot be written.</exception>
    public IDisposable Register(SidecarRuntime sidecar, Uri internalAddress)
    {
        var folder = Folder(sidecar.Options.AppId);
        using var process = Process.GetCurrentProcess();
        var entry = new Entry(sidecar.Options.AppId, sidecar.Options.Namespace, internalAddress.ToString(), process.Id, process.StartTime.ToUniversalTime());
        var file = Publish(folder, JsonSerializer.SerializeToUtf8Bytes(entry, Json.Options));
        _own.AddOrUpdate(sidecar.Options.AppId, static (_, s) => [s], static (_, all, s) => all.Add(s), sidecar);
        return new Registration(this, sidecar, file);
    }

    /// <summary>The next sidecar of an app id, in turn where there are several; null where there is none.</summary>
    public Peer? Find(string appId)
    {
        var own = _own.TryGetValue(appId, out var local) ? local : [];
        var others = Others(appId);
        var count = own.Length + others.Length;
        if (count == 0)
            return null;
        var turn = count == 1 ? 0 : (int)((uint)Interlocked.Increment(ref _turns.GetOrAdd(appId, static _ => new StrongBox()).Value) % (uint)count);
        return turn < own.Length ? new Peer(own[turn], null) : new Peer(null, others[turn - own.Length]);
    }

    /// <summary>All sidecars of an app id.</summary>
    public IReadOnlyList<Peer> FindAll(string appId) =>
        [.. (_own.TryGetValue(appId, out var local) ? local : []).Select(s => new Peer(s, null)), .. Others(appId).Select(a => new Peer(null, a))];

    /// <summary>Whether all sidecars of an app id are of this engine.</summary>
    public bool IsLocal(string appId) => _own.ContainsKey(appId) && Others(appId).IsEmpty;

    /// <summary>An address did not answer: the folder is read again before the next look-up.</summary>
    public void Suspect(string appId) => _others.TryRemove(appId, out _);

    // Written under another name first: whoever sees the name that counts sees all of it. The lock comes with the open file and stays.
    private static FileStream Publish(string folder, byte[] content)
    {
        for (var attempt = 0; ; attempt++)
        {
            FileStream? file = null;
            try
            {
                var name = Path.Combine(folder, Guid.NewGuid().ToString("N"));
                Directory.CreateDirectory(folder);
                file = new FileStream(name + ".tmp", FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
                file.Write(content);
                file.Flush();
                File.Move(name + ".tmp", name + ".json");
                return file;
            }
            catch (IOException) when (attempt < 10)
            {
                // Somebody took the empty folder away, or had a look at the file before it was locked.
                file?.Dispose();
            }
        }
    }

    // Names that no file system has are looked for too: callers may ask for anything.
    private string Folder(string appId)
    {
        var name = Uri.EscapeDataString(appId).Replace(".", "%2E", StringComparison.Ordinal);
        return Path.Combine(_root, name.Length <= LongestName ? name : Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(name))));
    }

    private ImmutableArray<Uri> Others(string appId)
    {
        var folder = Folder(appId);
        var changed = Directory.GetLastWriteTimeUtc(folder);
        // .NET's answer for a folder that does not exist is the year 1601.
        if (changed.Year < 1970)
            return [];
        if (_others.TryGetValue(appId, out var known) && known.Changed == changed && known.Settled)
            return known.Addresses;
        var addresses = Read(folder);
        _others[appId] = new Known(changed, DateTime.UtcNow - changed > ClockGranularity, addresses);
        return addresses;
    }

    private static ImmutableArray<Uri> Read(string folder)
    {
        var addresses = ImmutableArray.CreateBuilder<Uri>();
        string[] files;
        try
        {
            files = Directory.GetFiles(folder);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }

        foreach (var file in files)
        {
            try
            {
                // A file that can be opened without sharing has no living owner.
                using (new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose))
                {
                }
            }
            catch (IOException) when (File.Exists(file))
            {
                if (file.EndsWith(".json", StringComparison.Ordinal) && Parse(file) is { } entry && entry.Pid != Environment.ProcessId && Uri.TryCreate(entry.Address, UriKind.Absolute, out var address))
                    addresses.Add(address);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Somebody else has just removed it.
            }
        }

        return addresses.ToImmutable();
    }

    private static Entry? Parse(string file)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            return JsonSerializer.Deserialize<Entry>(stream, Json.Options);
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void Remove(SidecarRuntime sidecar)
    {
        var appId = sidecar.Options.AppId;
        while (_own.TryGetValue(appId, out var all))
        {
            var rest = all.Remove(sidecar);
            if (rest.IsEmpty ? _own.TryRemove(KeyValuePair.Create(appId, all)) : _own.TryUpdate(appId, rest, all))
                return;
        }
    }

    private sealed record Entry(string AppId, string Namespace, string Address, int Pid, DateTime Started);

    private sealed record Known(DateTime Changed, bool Settled, ImmutableArray<Uri> Addresses);

    private sealed class StrongBox
    {
        public int Value;
    }

    private sealed class Registration(AppDirectory owner, SidecarRuntime sidecar, FileStream file) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) != 0)
                return;
            owner.Remove(sidecar);
            try
            {
                File.Delete(Path.ChangeExtension(file.Name, ".json"));
                file.Dispose();
                Directory.Delete(Path.GetDirectoryName(file.Name)!);
            }
            catch (IOException)
            {
                // Other sidecars of the app id still have their files there.
            }
        }
    }
}

/// <summary>A sidecar: of this engine, or of another process at an address.</summary>
internal readonly record struct Peer(SidecarRuntime? Local, Uri? Address);
