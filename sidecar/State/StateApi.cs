using System.Collections.Concurrent;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resiliency;

namespace DaprPlatform.Sidecar.State;

/// <summary>
/// State of apps (https://docs.dapr.io/reference/api/state_api/): keys with their prefix, resiliency around each call of a store, refusals in Dapr's form.
/// Both faces stand on this.
/// </summary>
internal sealed partial class StateApi(SidecarRuntime runtime) : IBuildingBlock
{
    private static readonly Dictionary<string, string> NoMetadata = [];
    private readonly ConcurrentDictionary<string, NamedStateStore> _stores = new(StringComparer.Ordinal);

    /// <summary>Takes the transactions of the stores it covers; null: no store has an outbox.</summary>
    public IStateOutbox? Outbox { get; set; }

    /// <summary>The store of a name.</summary>
    /// <exception cref="ApiException">There is none.</exception>
    public NamedStateStore Store(string name)
    {
        if (!runtime.Components.TryGet<IStateStore>(name, out var store))
        {
            throw runtime.Components.All<IStateStore>().Any()
                ? StateErrors.NotFound(name, runtime.Options.AppId)
                : StateErrors.NotConfigured(name, runtime.Options.AppId);
        }

        // A hot reload replaces the instance.
        if (!_stores.TryGetValue(name, out var known) || !ReferenceEquals(known.Store, store))
            _stores[name] = known = new NamedStateStore(name, store, runtime.Components.SpecOf(name) is { } spec ? new KeyPrefix(spec) : throw StateErrors.NotFound(name, runtime.Options.AppId));
        return known;
    }

    /// <summary>Null when there is no such key.</summary>
    public async ValueTask<StateItem?> GetAsync(NamedStateStore named, string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        using var counted = Count(named, "get");
        try
        {
            var stored = named.StoredKey(key);
            var policy = Policy(named);
            return counted.Done(await (policy.IsDefined
                ? policy.RunAsync(token => named.Store.GetAsync(stored, consistency, metadata, token), cancellationToken)
                : named.Store.GetAsync(stored, consistency, metadata, cancellationToken)).ConfigureAwait(false));
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw StateErrors.Plain(500, Grpc.Core.StatusCode.Internal, "ERR_STATE_GET", $"fail to get {key} from state store {named.Name}: {e.Message}");
        }
    }

    /// <summary>One answer a key, in the order asked: an item, nothing, or why it could not be read.</summary>
    public async ValueTask<IReadOnlyList<BulkStateAnswer>> GetManyAsync(NamedStateStore named, IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var stored = new string[keys.Count];
        for (var i = 0; i < stored.Length; i++)
            stored[i] = named.StoredKey(keys[i]);
        if (stored.Length == 0)
            return [];
        using var counted = Count(named, "bulk_get");
        try
        {
            var policy = Policy(named);
            var items = await (policy.IsDefined
                ? policy.RunAsync(token => named.Store.GetManyAsync(stored, metadata, token), cancellationToken)
                : named.Store.GetManyAsync(stored, metadata, cancellationToken)).ConfigureAwait(false);
            return counted.Done(Answers(named.Store, keys, items));
        }
        catch (StateException)
        {
            // One of them is not readable, such as a value that does not decrypt; the others are answered.
            var answers = new BulkStateAnswer[stored.Length];
            for (var i = 0; i < answers.Length; i++)
                answers[i] = await OneOfManyAsync(named, keys[i], metadata, cancellationToken).ConfigureAwait(false);
            return answers;
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw StateErrors.Plain(500, Grpc.Core.StatusCode.Internal, "ERR_STATE_BULK_GET", $"failed to get bulk state from state store {named.Name}: {e.Message}");
        }
    }

    /// <summary>Writes each item on its own: what can be written is, also when another is refused.</summary>
    public ValueTask SaveAsync(NamedStateStore named, IReadOnlyList<StateRequest> requests, CancellationToken cancellationToken) =>
        WriteAsync(named, StateOperationKind.Upsert, requests, "ERR_STATE_SAVE", $"failed saving state in state store {named.Name}", cancellationToken);

    public ValueTask DeleteAsync(NamedStateStore named, StateRequest request, CancellationToken cancellationToken) =>
        WriteAsync(named, StateOperationKind.Delete, [request], "ERR_STATE_DELETE", $"failed deleting state with key {request.Key}", cancellationToken);

    public ValueTask DeleteManyAsync(NamedStateStore named, IReadOnlyList<StateRequest> requests, CancellationToken cancellationToken) =>
        WriteAsync(named, StateOperationKind.Delete, requests, "ERR_STATE_BULK_DELETE", $"failed deleting state in state store {named.Name}", cancellationToken);

    /// <summary>All or nothing, in order.</summary>
    public async ValueTask TransactAsync(NamedStateStore named, IReadOnlyList<(string Operation, StateRequest Request)> operations, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        if (!named.Store.Features.HasFlag(StateFeatures.Transactional))
            throw StateErrors.TransactionsNotSupported(named.Name);
        foreach (var (operation, _) in operations)
        {
            if (operation is not ("upsert" or "delete"))
                throw StateErrors.OperationNotSupported(operation);
        }

        foreach (var (_, request) in operations)
            _ = named.StoredKey(request.Key);
        if (operations.Count == 0)
            return;
        if (named.Store.MaxTransactionSize is { } limit && operations.Count > limit)
            throw StateErrors.TooManyTransactions(named.Name, operations.Count, limit);
        using var counted = Count(named, "transaction");
        try
        {
            var writes = new StateWrite[operations.Count];
            for (var i = 0; i < writes.Length; i++)
                writes[i] = operations[i].Request.ToWrite(named, operations[i].Operation == "upsert" ? StateOperationKind.Upsert : StateOperationKind.Delete);
            named.Store.CheckTransaction(writes);
            if (Outbox is { } outbox && outbox.Covers(named.Name))
                await outbox.TransactAsync(named.Name, writes, named.StoredKey, CommitAsync, cancellationToken).ConfigureAwait(false);
            else
                await CommitAsync(writes, cancellationToken).ConfigureAwait(false);
            counted.Done();
            Changed(named);
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw StateErrors.Plain(500, Grpc.Core.StatusCode.Internal, "ERR_STATE_TRANSACTION", $"error while executing state transaction: {e.Message}");
        }

        ValueTask CommitAsync(IReadOnlyList<StateWrite> writes, CancellationToken token) => GuardedAsync(Policy(named), t => named.Store.TransactAsync(writes, metadata, t), token);
    }

    public async ValueTask<StateQueryAnswer> QueryAsync(NamedStateStore named, ReadOnlyMemory<byte> query, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        if (!named.Store.TakesQueries)
            throw StateErrors.QueryNotSupported(named.Name);
        using var counted = Count(named, "query");
        try
        {
            var parsed = StateQuery.Parse(query, metadata) with { KeyPrefix = named.StoredKey("") };
            return counted.Done(await Policy(named).RunAsync(token => named.Store.QueryAsync(parsed, token), cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw StateErrors.QueryFailed(named.Name, e.Message);
        }
    }

    private ResiliencyPolicy Policy(NamedStateStore named) => runtime.Resiliency.ForComponent(named.Name, "Statestore", ComponentDirection.Outbound);

    private async ValueTask WriteAsync(NamedStateStore named, StateOperationKind kind, IReadOnlyList<StateRequest> requests, string errorCode, string action, CancellationToken cancellationToken)
    {
        foreach (var request in requests)
            _ = named.StoredKey(request.Key);
        var policy = Policy(named);
        using var counted = Count(named, errorCode switch { "ERR_STATE_SAVE" => "set", "ERR_STATE_DELETE" => "delete", _ => "bulk_delete" });
        try
        {
            if (requests.Count == 1)
            {
                await OneAsync(requests[0]).ConfigureAwait(false);
                counted.Done();
                return;
            }

            // Begun together, so that they share a commit.
            var writes = new Task[requests.Count];
            for (var i = 0; i < writes.Length; i++)
                writes[i] = OneAsync(requests[i]).AsTask();
            var all = Task.WhenAll(writes);
            await all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (all.Exception?.InnerExceptions is { Count: > 0 } failures)
                throw Joined(failures);
            all.GetAwaiter().GetResult();
            counted.Done();
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw StateErrors.Write(errorCode, action, e);
        }

        async ValueTask OneAsync(StateRequest request)
        {
            var write = request.ToWrite(named, kind);
            await (policy.IsDefined ? GuardedAsync(policy, token => named.Store.WriteAsync(write, token), cancellationToken) : named.Store.WriteAsync(write, cancellationToken)).ConfigureAwait(false);
            Changed(named);
        }
    }

    private void Changed(NamedStateStore named) => runtime.Engine.Changes.Tell(Introspection.RuntimeAreas.State, named.Name);

    // Of several refusals an ETag's decides, as recorded; what the store said stands after the text of the kind.
    private static Exception Joined(IReadOnlyList<Exception> failures)
    {
        var etag = failures.OfType<ETagException>().FirstOrDefault();
        var text = string.Join('\n', failures.Select(f => f.Message));
        return etag is not null ? new ETagException(etag.IsInvalid, text) : new StateException(text, failures[0]);
    }

    // A refusal is the same at every attempt; only a failure of the store is worth another.
    private static async ValueTask GuardedAsync(ResiliencyPolicy policy, Func<CancellationToken, ValueTask> write, CancellationToken cancellationToken)
    {
        if (!policy.IsDefined)
        {
            await write(cancellationToken).ConfigureAwait(false);
            return;
        }

        await policy.RunAsync<object?>(async token =>
        {
            try
            {
                await write(token).ConfigureAwait(false);
                return null;
            }
            catch (ETagException e)
            {
                throw new PermanentException(e);
            }
        }, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<BulkStateAnswer> OneOfManyAsync(NamedStateStore named, string key, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        try
        {
            return new BulkStateAnswer(key, await named.Store.GetAsync(named.StoredKey(key), Consistency.Unspecified, metadata, cancellationToken).ConfigureAwait(false), null);
        }
        catch (StateException e)
        {
            return new BulkStateAnswer(key, null, e.Message);
        }
    }

    private static BulkStateAnswer[] Answers(IStateStore store, IReadOnlyList<string> keys, IReadOnlyList<StateItem?> items)
    {
        var answers = new BulkStateAnswer[keys.Count];
        var seen = store.FindsRepeatedKeysOnce ? new HashSet<string>(StringComparer.Ordinal) : null;
        for (var i = 0; i < answers.Length; i++)
            answers[i] = seen?.Add(keys[i]) == false ? new BulkStateAnswer("", null, null) : new BulkStateAnswer(keys[i], items[i], null);
        return answers;
    }

    private static bool IsFailure(Exception e) => e is not (ApiException or OperationCanceledException);

    private CountedOperation Count(NamedStateStore named, string operation) => new(runtime.Metrics, "state", named.Name, operation);
}

/// <summary>A store as an app names it.</summary>
internal sealed class NamedStateStore(string name, IStateStore store, KeyPrefix prefix)
{
    public string Name => name;

    public IStateStore Store => store;

    /// <exception cref="ApiException">The key contains the separator of prefixes.</exception>
    public string StoredKey(string key) => KeyPrefix.IsLegal(key) ? prefix.Stored(key) : throw StateErrors.IllegalKey(name, key);
}

/// <summary>What a caller asks to be written, before the key has its prefix.</summary>
/// <param name="Concurrency">As given: empty, <c>first-write</c> or <c>last-write</c>; anything else is refused when it is written.</param>
/// <param name="IsBinary">False for JSON text.</param>
internal sealed record StateRequest(string Key, ReadOnlyMemory<byte> Value = default, string? ETag = null, string Concurrency = "", string Consistency = "",
    IReadOnlyDictionary<string, string>? Metadata = null, bool IsBinary = true, string? ContentType = null)
{
    /// <exception cref="StateException">An option is none of Dapr's.</exception>
    public StateWrite ToWrite(NamedStateStore store, StateOperationKind kind)
    {
        var concurrency = Concurrency switch
        {
            "" => State.Concurrency.Unspecified,
            "first-write" => State.Concurrency.FirstWrite,
            "last-write" => State.Concurrency.LastWrite,
            _ => throw new StateException($"unrecognized concurrency model '{Concurrency}'"),
        };
        var consistency = Consistency switch
        {
            "" => State.Consistency.Unspecified,
            "eventual" => State.Consistency.Eventual,
            "strong" => State.Consistency.Strong,
            _ => throw new StateException($"unrecognized consistency model '{Consistency}'"),
        };
        return new StateWrite(kind, store.StoredKey(Key), Value, ETag, concurrency, Metadata, IsBinary, ContentType, consistency);
    }
}

/// <param name="Error">Why it could not be read; null when it could.</param>
internal readonly record struct BulkStateAnswer(string Key, StateItem? Item, string? Error);
