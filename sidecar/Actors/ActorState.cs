using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resiliency;
using DaprPlatform.Sidecar.State;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>One operation on the state of an actor.</summary>
/// <param name="Value">What is stored, as it is stored.</param>
/// <param name="IsBinary">False for JSON text.</param>
internal sealed record ActorOperation(string Operation, string Key, ReadOnlyMemory<byte> Value, string? ETag, IReadOnlyDictionary<string, string>? Metadata, bool IsBinary);

/// <summary>
/// The state of actors, in the one component that says <c>actorStateStore: "true"</c>. Keys are daprd's: <c>app id||type||id||key</c>; the prefix settings of the
/// component do not count.
/// </summary>
internal sealed class ActorState(SidecarRuntime runtime)
{
    private const string TtlFeature = "ActorStateTTL";
    private volatile Found? _found;
    private readonly Lazy<bool> _ttl = new(() => runtime.Block<MetadataApi>().Features().Contains(TtlFeature, StringComparer.Ordinal));

    /// <summary>There is an actor state store.</summary>
    public bool IsConfigured => Find() is not null;

    /// <summary>Of the component that is the actor state store; null when there is none.</summary>
    public string? StoreName => Find()?.Name;

    /// <summary>Whether JSON that comes over HTTP is stored with <c>&lt; &gt; &amp;</c> escaped.</summary>
    public bool EscapesHtml => Find()?.Store.EscapesHtml ?? true;

    /// <summary>Null when there is no such key.</summary>
    /// <exception cref="ApiException">No store, or it fails.</exception>
    public async ValueTask<StateItem?> GetAsync(string type, string id, string key, CancellationToken cancellationToken)
    {
        var (name, store) = Find() ?? throw ActorErrors.NoStore();
        var actor = ActorKey(type, id);
        var metadata = new Dictionary<string, string> { ["partitionKey"] = actor };
        using var counted = new CountedOperation(runtime.Metrics, "state", name, "get");
        try
        {
            var stored = actor + KeyPrefix.Separator + key;
            var policy = Policy(name);
            var item = await (policy.IsDefined
                ? policy.RunAsync(token => store.GetAsync(stored, Consistency.Unspecified, metadata, token), cancellationToken)
                : store.GetAsync(stored, Consistency.Unspecified, metadata, cancellationToken)).ConfigureAwait(false);
            return counted.Done(item);
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw ActorErrors.StateGet(e.Message);
        }
    }

    /// <summary>All or nothing, in order.</summary>
    /// <exception cref="ApiException">The store refuses or fails, or there is none.</exception>
    public async ValueTask TransactAsync(string type, string id, IReadOnlyList<ActorOperation> operations, CancellationToken cancellationToken)
    {
        var (name, store) = Find() ?? throw ActorErrors.NoStore();
        if (!store.Features.HasFlag(StateFeatures.Transactional))
            throw ActorErrors.StateSave($"state store {name} does not support transactions");
        var actor = ActorKey(type, id);
        var partition = new Dictionary<string, string> { ["partitionKey"] = actor };
        var writes = new StateWrite[operations.Count];
        for (var i = 0; i < writes.Length; i++)
        {
            var operation = operations[i];
            if (operation.Key.Length == 0)
                throw ActorErrors.StateSave("missing key");
            var metadata = partition;
            if (operation.Metadata is { Count: > 0 } given)
            {
                metadata = new Dictionary<string, string>(given) { ["partitionKey"] = actor };
                if (!_ttl.Value && metadata.ContainsKey(StateTtl.Name))
                    throw ActorErrors.StateSave($"ttlInSeconds is not supported without the \"{TtlFeature}\" feature enabled");
            }

            var kind = operation.Operation == "delete" ? StateOperationKind.Delete : StateOperationKind.Upsert;
            writes[i] = new StateWrite(kind, actor + KeyPrefix.Separator + operation.Key, operation.Value, operation.ETag, Metadata: metadata, IsBinary: operation.IsBinary);
        }

        if (writes.Length == 0)
            return;
        if (store.MaxTransactionSize is { } limit && writes.Length > limit)
            throw ActorErrors.StateSave($"the transaction contains {writes.Length} operations, which is more than what the state store supports: {limit}");
        using var counted = new CountedOperation(runtime.Metrics, "state", name, "transaction");
        try
        {
            store.CheckTransaction(writes);
            var policy = Policy(name);
            if (policy.IsDefined)
            {
                await policy.RunAsync(async token =>
                {
                    try
                    {
                        await store.TransactAsync(writes, partition, token).ConfigureAwait(false);
                        return true;
                    }
                    catch (ETagException e)
                    {
                        // The same at every attempt.
                        throw new PermanentException(e);
                    }
                }, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await store.TransactAsync(writes, partition, cancellationToken).ConfigureAwait(false);
            }

            counted.Done();
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw ActorErrors.StateSave(e.Message.StartsWith("incorrect value for metadata", StringComparison.Ordinal) ? $"error parsing TTL: {e.Message}" : e.Message);
        }
    }

    private static bool IsFailure(Exception e) => e is not (ApiException or OperationCanceledException);

    private string ActorKey(string type, string id) => string.Concat(string.Concat(runtime.Options.AppId, KeyPrefix.Separator, type), KeyPrefix.Separator, id);

    private ResiliencyPolicy Policy(string store) => runtime.Resiliency.ForComponent(store, "Statestore", ComponentDirection.Outbound);

    // A hot reload replaces the instance.
    private (string Name, IStateStore Store)? Find()
    {
        if (_found is { } known && runtime.Components.TryGet<IStateStore>(known.Name, out var same) && ReferenceEquals(same, known.Store))
            return (known.Name, known.Store);
        foreach (var (name, store) in runtime.Components.All<IStateStore>())
        {
            if (runtime.Components.SpecOf(name)?.Flag("actorStateStore") != true)
                continue;
            _found = new Found(name, store);
            return (name, store);
        }

        return null;
    }

    private sealed record Found(string Name, IStateStore Store);
}
