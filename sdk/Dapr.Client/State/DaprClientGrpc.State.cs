using Dapr.Common;
using Google.Protobuf;
using Grpc.Core;
using Wire = Dapr.Proto.Runtime.V1;
using WireState = Dapr.Proto.Common.V1;

namespace Dapr.Client;

internal sealed partial class DaprClientGrpc
{
    const string Operation = "State";

    public override async Task<TValue> GetStateAsync<TValue>(
        string storeName, string key, ConsistencyMode? consistencyMode = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        var response = await Get(storeName, key, consistencyMode, metadata, cancellationToken).ConfigureAwait(false);
        return FromState<TValue>(response.Data);
    }

    public override async Task<(TValue value, string etag)> GetStateAndETagAsync<TValue>(
        string storeName, string key, ConsistencyMode? consistencyMode = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        var response = await Get(storeName, key, consistencyMode, metadata, cancellationToken).ConfigureAwait(false);
        return (FromState<TValue>(response.Data), response.Etag);
    }

    public override async Task<ReadOnlyMemory<byte>> GetByteStateAsync(
        string storeName, string key, ConsistencyMode? consistencyMode = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default) =>
        (await Get(storeName, key, consistencyMode, metadata, cancellationToken).ConfigureAwait(false)).Data.Memory;

    public override async Task<(ReadOnlyMemory<byte>, string etag)> GetByteStateAndETagAsync(
        string storeName, string key, ConsistencyMode? consistencyMode = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        var response = await Get(storeName, key, consistencyMode, metadata, cancellationToken).ConfigureAwait(false);
        return (response.Data.Memory, response.Etag);
    }

    public override async Task<IReadOnlyList<BulkStateItem>> GetBulkStateAsync(
        string storeName, IReadOnlyList<string> keys, int? parallelism, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        var response = await GetBulk(storeName, keys, parallelism, metadata, cancellationToken).ConfigureAwait(false);
        return [.. response.Items.Select(i => new BulkStateItem(i.Key, i.Data.ToStringUtf8(), i.Etag))];
    }

    public override async Task<IReadOnlyList<BulkStateItem<TValue>>> GetBulkStateAsync<TValue>(
        string storeName, IReadOnlyList<string> keys, int? parallelism, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        var response = await GetBulk(storeName, keys, parallelism, metadata, cancellationToken).ConfigureAwait(false);
        return [.. response.Items.Select(i => new BulkStateItem<TValue>(i.Key, FromState<TValue>(i.Data), i.Etag))];
    }

    public override async Task SaveStateAsync<TValue>(
        string storeName, string key, TValue value, StateOptions? stateOptions = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(key);
        await Save(storeName, Item(key, value is null ? null : ToJson(value), null, stateOptions, metadata), cancellationToken).ConfigureAwait(false);
    }

    public override Task<bool> TrySaveStateAsync<TValue>(
        string storeName, string key, TValue value, string etag, StateOptions? stateOptions = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(etag);
        return Try(Save(storeName, Item(key, value is null ? null : ToJson(value), etag, stateOptions, metadata), cancellationToken));
    }

    public override Task SaveByteStateAsync(
        string storeName, string key, ReadOnlyMemory<byte> binaryValue, StateOptions? stateOptions = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(key);
        return Save(storeName, Item(key, ByteString.CopyFrom(binaryValue.Span), null, stateOptions, metadata), cancellationToken);
    }

    public override Task<bool> TrySaveByteStateAsync(
        string storeName, string key, ReadOnlyMemory<byte> binaryValue, string etag, StateOptions? stateOptions = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(etag);
        return Try(Save(storeName, Item(key, ByteString.CopyFrom(binaryValue.Span), etag, stateOptions, metadata), cancellationToken));
    }

    public override async Task SaveBulkStateAsync<TValue>(string storeName, IReadOnlyList<SaveStateItem<TValue>> items, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentNullException.ThrowIfNull(items);
        if (items.Count == 0)
            throw new ArgumentException("items do not contain any elements", nameof(items));
        var request = new Wire.SaveStateRequest { StoreName = storeName };
        request.States.AddRange(items.Select(i => Item(i.Key, i.Value is null ? null : ToJson(i.Value), i.ETag, i.StateOptions, i.Metadata)));
        await _client.SaveStateAsync(request, Options(cancellationToken)).Unwrap(Operation).ConfigureAwait(false);
    }

    public override Task DeleteStateAsync(
        string storeName, string key, StateOptions? stateOptions = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default) =>
        Delete(storeName, key, null, stateOptions, metadata, cancellationToken);

    public override Task<bool> TryDeleteStateAsync(
        string storeName, string key, string etag, StateOptions? stateOptions = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(etag);
        return Try(Delete(storeName, key, etag, stateOptions, metadata, cancellationToken));
    }

    public override async Task DeleteBulkStateAsync(string storeName, IReadOnlyList<BulkDeleteStateItem> items, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentNullException.ThrowIfNull(items);
        var request = new Wire.DeleteBulkStateRequest { StoreName = storeName };
        request.States.AddRange(items.Select(i => Item(i.Key, null, i.ETag, i.StateOptions, i.Metadata)));
        await _client.DeleteBulkStateAsync(request, Options(cancellationToken)).Unwrap(Operation).ConfigureAwait(false);
    }

    public override async Task ExecuteStateTransactionAsync(
        string storeName, IReadOnlyList<StateTransactionRequest> operations, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentNullException.ThrowIfNull(operations);
        if (operations.Count == 0)
            throw new ArgumentException("operations do not contain any elements", nameof(operations));
        var request = new Wire.ExecuteStateTransactionRequest { StoreName = storeName };
        request.Operations.AddRange(operations.Select(o => new Wire.TransactionalStateOperation
        {
            OperationType = o.OperationType == StateOperationType.Delete ? "delete" : "upsert",
            Request = Item(o.Key, o.Value is null ? null : ByteString.CopyFrom(o.Value), o.ETag, o.Options, o.Metadata),
        }));
        Add(request.Metadata, metadata);
        await _client.ExecuteStateTransactionAsync(request, Options(cancellationToken)).Unwrap(Operation).ConfigureAwait(false);
    }

    public override async Task<StateQueryResponse<TValue>> QueryStateAsync<TValue>(
        string storeName, string jsonQuery, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(jsonQuery);
        var request = new Wire.QueryStateRequest { StoreName = storeName, Query = jsonQuery };
        Add(request.Metadata, metadata);
        var response = await _client.QueryStateAlpha1Async(request, Options(cancellationToken)).Unwrap("Query state").ConfigureAwait(false);

        List<string> failed = [.. response.Results.Where(r => r.Error.Length > 0).Select(r => r.Key)];
        var page = new StateQueryResponse<TValue>(
            [.. response.Results.Select(r => new StateQueryItem<TValue>(r.Key, r.Error.Length > 0 ? default : FromState<TValue>(r.Data), r.Etag, r.Error))], response.Token, response.Metadata);
        if (failed.Count > 0)
            throw new StateQueryException<TValue>($"Encountered an error while processing state query results: {string.Join(", ", failed)}.", page, failed);
        return page;
    }

    async Task<Wire.GetStateResponse> Get(string storeName, string key, ConsistencyMode? consistency, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(key);
        var request = new Wire.GetStateRequest { StoreName = storeName, Key = key, Consistency = Map(consistency) };
        Add(request.Metadata, metadata);
        return await _client.GetStateAsync(request, Options(cancellationToken)).Unwrap(Operation).ConfigureAwait(false);
    }

    async Task<Wire.GetBulkStateResponse> GetBulk(
        string storeName, IReadOnlyList<string> keys, int? parallelism, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentNullException.ThrowIfNull(keys);
        if (keys.Count == 0)
            throw new ArgumentException("keys do not contain any elements", nameof(keys));
        var request = new Wire.GetBulkStateRequest { StoreName = storeName, Parallelism = parallelism ?? 0 };
        request.Keys.AddRange(keys);
        Add(request.Metadata, metadata);
        var response = await _client.GetBulkStateAsync(request, Options(cancellationToken)).Unwrap(Operation).ConfigureAwait(false);

        // A key that could not be read must not look like one that does not exist.
        if (response.Items.FirstOrDefault(i => i.Error.Length > 0) is { } unread)
            throw new DaprException($"State operation failed: the key '{unread.Key}' could not be read: {unread.Error}");
        return response;
    }

    async Task Save(string storeName, WireState.StateItem item, CancellationToken cancellationToken)
    {
        var request = new Wire.SaveStateRequest { StoreName = storeName };
        request.States.Add(item);
        await _client.SaveStateAsync(request, Options(cancellationToken)).Unwrap(Operation).ConfigureAwait(false);
    }

    async Task Delete(string storeName, string key, string? etag, StateOptions? options, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(key);
        var request = new Wire.DeleteStateRequest { StoreName = storeName, Key = key };
        if (etag is not null)
            request.Etag = new WireState.Etag { Value = etag };
        if (options is not null)
            request.Options = Map(options);
        Add(request.Metadata, metadata);
        await _client.DeleteStateAsync(request, Options(cancellationToken)).Unwrap(Operation).ConfigureAwait(false);
    }

    // ABORTED is how the sidecar says that the etag is another one.
    static async Task<bool> Try(Task write)
    {
        try
        {
            await write.ConfigureAwait(false);
            return true;
        }
        catch (DaprException e) when (e.InnerException is RpcException { StatusCode: StatusCode.Aborted })
        {
            return false;
        }
    }

    static WireState.StateItem Item(string key, ByteString? value, string? etag, StateOptions? options, IReadOnlyDictionary<string, string>? metadata)
    {
        var item = new WireState.StateItem { Key = key };
        if (value is not null)
            item.Value = value;
        if (etag is not null)
            item.Etag = new WireState.Etag { Value = etag };
        if (options is not null)
            item.Options = Map(options);
        Add(item.Metadata, metadata);
        return item;
    }

    TValue FromState<TValue>(ByteString json) => FromJson<TValue>(json, Operation, "state payload");

    static WireState.StateOptions Map(StateOptions options) => new()
    {
        Consistency = Map(options.Consistency),
        Concurrency = options.Concurrency switch
        {
            ConcurrencyMode.FirstWrite => WireState.StateOptions.Types.StateConcurrency.ConcurrencyFirstWrite,
            ConcurrencyMode.LastWrite => WireState.StateOptions.Types.StateConcurrency.ConcurrencyLastWrite,
            null => WireState.StateOptions.Types.StateConcurrency.ConcurrencyUnspecified,
            var other => throw new ArgumentException($"{other} Concurrency Mode is not supported.", nameof(options)),
        },
    };

    static WireState.StateOptions.Types.StateConsistency Map(ConsistencyMode? mode) => mode switch
    {
        ConsistencyMode.Eventual => WireState.StateOptions.Types.StateConsistency.ConsistencyEventual,
        ConsistencyMode.Strong => WireState.StateOptions.Types.StateConsistency.ConsistencyStrong,
        null => WireState.StateOptions.Types.StateConsistency.ConsistencyUnspecified,
        _ => throw new ArgumentException($"{mode} Consistency Mode is not supported.", nameof(mode)),
    };
}
