using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.StandIns;
using Grpc.Net.Client;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>Names a workflow engine: one for each app of a control plane.</summary>
/// <param name="Plane">Addresses of placement and scheduler: sidecars with others have nothing to do with each other.</param>
internal readonly record struct HubKey(string Plane, string Namespace, string AppId)
{
    public static HubKey Of(SidecarOptions options, string? appId = null) =>
        new($"{options.PlacementHostAddress}|{options.SchedulerHostAddress}", options.Namespace, appId ?? options.AppId);

    /// <summary>A name for files and headers.</summary>
    public string Id => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Plane}\n{Namespace}\n{AppId}")).AsSpan(0, 16));
}

/// <summary>
/// The workflow engines that the sidecars of this process have, and the ways to those of others. All sidecars of an app share one engine: that of the first of them which needs it,
/// on that sidecar's state store. In one process they have it as an object; processes find it by a file in the machine's folder, which its owner holds locked
/// as long as it lives, so that the next one takes over when it ends, however it ends.
/// </summary>
internal sealed class WorkflowHubs(Engine engine) : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private readonly ConcurrentDictionary<HubKey, OwnHub> _own = new();
    private readonly ConcurrentDictionary<(HubKey Key, string Address, string? Caller), RemoteEngine> _others = new();
    private readonly SemaphoreSlim _opening = new(1);
    private readonly string _folder = Path.Combine(EngineOptions.MachineDirectory, "workflow");

    public static WorkflowHubs Of(Engine engine) => engine.Shared("workflow.hubs", e => new WorkflowHubs(e));

    /// <summary>The engine of an app; null where this process does not have it.</summary>
    public IWorkflowEngine? Own(HubKey key) => _own.TryGetValue(key, out var own) ? own.Engine : null;

    /// <summary>The engine of an app, wherever it is; made here if it is nowhere.</summary>
    /// <param name="owner">Whose it is then: it ends with <see cref="CloseAsync"/>.</param>
    /// <param name="address">Where other processes reach the owner.</param>
    public async ValueTask<IWorkflowEngine> OpenAsync(HubKey key, object owner, Uri address, Func<WorkflowHub> create, CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            while (true)
            {
                if (_own.TryGetValue(key, out var own))
                    return own.Engine;
                FileStream? claim = null;
                if (!engine.Options.SharesStandIns || (claim = await ClaimAsync(key, address, cancellationToken).ConfigureAwait(false)) is not null)
                {
                    var hub = create();
                    _own[key] = own = new OwnHub(owner, hub, new WorkflowClient(hub), claim);
                    return own.Engine;
                }

                if (await FindOtherAsync(key, null, cancellationToken).ConfigureAwait(false) is { IsGone: false } other)
                    return other;
                // Its owner is about to say where it is, or about to end.
                await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>The engine of another app; null where no sidecar has it.</summary>
    /// <param name="caller">The app that asks.</param>
    public async ValueTask<IWorkflowEngine?> FindAsync(HubKey key, string caller, CancellationToken cancellationToken) =>
        (Own(key) as WorkflowClient)?.For(new WorkflowCaller(caller, IsKnown: true))
        ?? (engine.Options.SharesStandIns ? await FindOtherAsync(key, caller, cancellationToken).ConfigureAwait(false) : null);

    /// <summary>The sidecar ends: so does an engine that is its own.</summary>
    public async ValueTask CloseAsync(HubKey key, object owner)
    {
        if (!_own.TryGetValue(key, out var own) || own.Owner != owner)
            return;
        await own.Hub.DisposeAsync().ConfigureAwait(false);
        _own.TryRemove(KeyValuePair.Create(key, own));
        if (own.Claim is { } claim)
            await claim.DisposeAsync().ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (key, own) in _own)
            await CloseAsync(key, own.Owner).ConfigureAwait(false);
        foreach (var other in _others.Values)
            other.Dispose();
        _opening.Dispose();
    }

    private async ValueTask<FileStream?> ClaimAsync(HubKey key, Uri address, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(_folder);
        if (StandInLauncher.TryLock(Path.Combine(_folder, key.Id + ".lock")) is not { } claim)
            return null;
        // Written under another name first: whoever reads it reads all of it.
        var file = AddressFile(key);
        var draft = string.Create(CultureInfo.InvariantCulture, $"{file}.{Environment.ProcessId}");
        await File.WriteAllBytesAsync(draft, JsonSerializer.SerializeToUtf8Bytes(new Entry(key.AppId, key.Namespace, address.ToString()), Json.Options), cancellationToken).ConfigureAwait(false);
        File.Move(draft, file, overwrite: true);
        return claim;
    }

    private async ValueTask<RemoteEngine?> FindOtherAsync(HubKey key, string? caller, CancellationToken cancellationToken)
    {
        Entry? entry;
        try
        {
            entry = JsonSerializer.Deserialize<Entry>(await File.ReadAllBytesAsync(AddressFile(key), cancellationToken).ConfigureAwait(false), Json.Options);
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }

        if (entry is null || entry.AppId != key.AppId)
            return null;
        var at = (key, entry.Address, caller);
        if (_others.TryGetValue(at, out var known) && known.IsGone)
        {
            // The same address may be served again.
            _others.TryRemove(KeyValuePair.Create(at, known));
            known.Dispose();
        }

        return _others.GetOrAdd(at, _ => new RemoteEngine(
            GrpcChannel.ForAddress(entry.Address, new GrpcChannelOptions { HttpHandler = engine.Peers.Handler, MaxReceiveMessageSize = null, MaxSendMessageSize = null }), key.Id, caller));
    }

    private string AddressFile(HubKey key) => Path.Combine(_folder, key.Id + ".json");

    private sealed record Entry(string AppId, string Namespace, string Address);

    private sealed record OwnHub(object Owner, WorkflowHub Hub, WorkflowClient Engine, FileStream? Claim);
}
