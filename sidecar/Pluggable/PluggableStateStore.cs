using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Pluggable.Wire;
using DaprPlatform.Sidecar.State;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Pluggable;

/// <summary>A state store that is a program of its own.</summary>
/// <param name="isTransactional">It serves transactions.</param>
/// <param name="isQueriable">It serves queries.</param>
/// <param name="limitsTransactions">It says how many operations a transaction may have.</param>
internal sealed class PluggableStateStore(ComponentSpec spec, CallInvoker calls, bool isTransactional, bool isQueriable, bool limitsTransactions) : IStateStore
{
    private readonly StateStore.StateStoreClient _store = new(calls);
    private readonly TransactionalStateStore.TransactionalStateStoreClient _transactions = new(calls);
    private readonly QueriableStateStore.QueriableStateStoreClient _queries = new(calls);
    private readonly Metadata _headers = PluggableCalls.Headers(spec);

    public StateFeatures Features { get; private set; }

    public int? MaxTransactionSize { get; private set; }

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        await PluggableCalls.InitAsync(_store.InitAsync(new InitRequest { Metadata = PluggableCalls.Properties(spec) }, _headers, cancellationToken: cancellationToken)).ConfigureAwait(false);
        try
        {
            var features = (await _store.FeaturesAsync(new FeaturesRequest(), _headers, cancellationToken: cancellationToken).ConfigureAwait(false)).Features;
            Features = (features.Contains("ETAG") ? StateFeatures.ETag : 0) | (features.Contains("TTL") ? StateFeatures.Ttl : 0)
                | (isTransactional && features.Contains("TRANSACTIONAL") ? StateFeatures.Transactional : 0)
                | (isQueriable && features.Contains("QUERY_API") ? StateFeatures.Query : 0);
            if (limitsTransactions && Features.HasFlag(StateFeatures.Transactional))
            {
                var limit = (await new TransactionalStoreMultiMaxSize.TransactionalStoreMultiMaxSizeClient(calls)
                    .MultiMaxSizeAsync(new MultiMaxSizeRequest(), _headers, cancellationToken: cancellationToken).ConfigureAwait(false)).MaxSize;
                MaxTransactionSize = limit > 0 ? (int)Math.Min(limit, int.MaxValue) : null;
            }
        }
        catch (RpcException e)
        {
            throw new ComponentException(PluggableCalls.Words(e), e);
        }
    }

    public async ValueTask<StateItem?> GetAsync(string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var request = Get(key, metadata);
        request.Consistency = (StateOptions.Types.StateConsistency)(int)consistency;
        var answer = await RunAsync(() => _store.GetAsync(request, _headers, cancellationToken: cancellationToken)).ConfigureAwait(false);
        return Item(answer.Data, answer.Etag, answer.Metadata, answer.ContentType);
    }

    public async ValueTask<IReadOnlyList<StateItem?>> GetManyAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var request = new BulkGetRequest();
        request.Items.AddRange(keys.Select(k => Get(k, metadata)));
        try
        {
            var answer = await RunAsync(() => _store.BulkGetAsync(request, _headers, cancellationToken: cancellationToken)).ConfigureAwait(false);
            // The items that cannot be read are told apart by reading each on its own.
            if (answer.Items.FirstOrDefault(i => i.Error.Length > 0) is { } broken)
                throw new StateException(broken.Error);
            var found = answer.Items.DistinctBy(i => i.Key).ToDictionary(i => i.Key, i => Item(i.Data, i.Etag, i.Metadata, i.ContentType), StringComparer.Ordinal);
            return [.. keys.Select(k => found.GetValueOrDefault(k))];
        }
        catch (StateException e) when (e.InnerException is RpcException { StatusCode: StatusCode.Unimplemented })
        {
            // One after the other where it cannot do it together.
            var items = new List<StateItem?>(keys.Count);
            foreach (var key in keys)
                items.Add(await GetAsync(key, Consistency.Unspecified, metadata, cancellationToken).ConfigureAwait(false));
            return items;
        }
    }

    public async ValueTask WriteAsync(StateWrite write, CancellationToken cancellationToken)
    {
        if (write.Kind == StateOperationKind.Delete)
            await RunAsync(() => _store.DeleteAsync(Delete(write), _headers, cancellationToken: cancellationToken)).ConfigureAwait(false);
        else
            await RunAsync(() => _store.SetAsync(Set(write), _headers, cancellationToken: cancellationToken)).ConfigureAwait(false);
    }

    public async ValueTask TransactAsync(IReadOnlyList<StateWrite> writes, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var request = new TransactionalStateRequest();
        foreach (var write in writes)
            request.Operations.Add(write.Kind == StateOperationKind.Delete ? new TransactionalStateOperation { Delete = Delete(write) } : new TransactionalStateOperation { Set = Set(write) });
        PluggableCalls.Add(request.Metadata, metadata);
        await RunAsync(() => _transactions.TransactAsync(request, _headers, cancellationToken: cancellationToken)).ConfigureAwait(false);
    }

    public async ValueTask<StateQueryAnswer> QueryAsync(StateQuery query, CancellationToken cancellationToken)
    {
        var wire = new Query();
        if (query.Filter is { } filter)
        {
            var json = Json(filter);
            foreach (var (name, value) in json)
                wire.Filter[name] = new Any { Value = ByteString.CopyFromUtf8(value!.ToJsonString()) };
        }

        wire.Sort.AddRange(query.Sort.Select(s => new Sorting { Key = s.Key, Order = s.Descending ? Sorting.Types.Order.Desc : Sorting.Types.Order.Asc }));
        if (query.Limit > 0 || query.Token.Length > 0)
            wire.Pagination = new Pagination { Limit = query.Limit, Token = query.Token };
        var request = new QueryRequest { Query = wire };
        PluggableCalls.Add(request.Metadata, query.Metadata);
        var answer = await RunAsync(() => _queries.QueryAsync(request, _headers, cancellationToken: cancellationToken)).ConfigureAwait(false);
        // Whose keys it finds is the program's to decide: it is told the key prefix by nothing in the protocol.
        return new StateQueryAnswer([.. answer.Items.Where(i => i.Error.Length == 0).Select(i => (i.Key, new StateItem(i.Data.Memory, i.Etag?.Value, null, i.ContentType.Length > 0 ? i.ContentType : null)))], answer.Token);
    }

    public ValueTask<IReadOnlyList<string>> KeysAsync(string prefix, string? after, int limit, CancellationToken cancellationToken) => throw new StateException("state store does not support listing keys");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static GetRequest Get(string key, IReadOnlyDictionary<string, string> metadata)
    {
        var request = new GetRequest { Key = key };
        PluggableCalls.Add(request.Metadata, metadata);
        return request;
    }

    private static SetRequest Set(StateWrite write)
    {
        var request = new SetRequest { Key = write.Key, Value = ByteString.CopyFrom(write.Value.Span), Options = Options(write), ContentType = write.ContentType ?? "" };
        if (write.HasETag)
            request.Etag = new Etag { Value = write.ETag };
        PluggableCalls.Add(request.Metadata, write.Metadata);
        return request;
    }

    private static DeleteRequest Delete(StateWrite write)
    {
        var request = new DeleteRequest { Key = write.Key, Options = Options(write) };
        if (write.HasETag)
            request.Etag = new Etag { Value = write.ETag };
        PluggableCalls.Add(request.Metadata, write.Metadata);
        return request;
    }

    // As it was written: {"AND": [...]}, {"EQ": {"path": value}}.
    private static JsonObject Json(StateFilter filter) => filter switch
    {
        StateFilter.Group group => new JsonObject { [group.All ? "AND" : "OR"] = new JsonArray([.. group.Filters.Select(Json)]) },
        StateFilter.Compare { Comparison: StateComparison.In } compare => new JsonObject { ["IN"] = new JsonObject { [compare.Path] = new JsonArray([.. compare.Operands.Select(o => JsonNode.Parse(o))]) } },
        StateFilter.Compare compare => new JsonObject { [compare.Comparison.ToString().ToUpperInvariant()] = new JsonObject { [compare.Path] = JsonNode.Parse(compare.Operands[0]) } },
        _ => throw new StateException("unsupported filter"),
    };

    private static StateOptions Options(StateWrite write) => new()
    {
        Concurrency = (StateOptions.Types.StateConcurrency)(int)write.Concurrency,
        Consistency = (StateOptions.Types.StateConsistency)(int)write.Consistency,
    };

    private static StateItem? Item(ByteString data, Etag? etag, IDictionary<string, string> metadata, string contentType) => data.IsEmpty && etag is null && metadata.Count == 0
        ? null
        : new StateItem(data.Memory, etag?.Value, metadata.TryGetValue("ttlExpireTime", out var end) && DateTimeOffset.TryParse(end, System.Globalization.CultureInfo.InvariantCulture, out var at) ? at : null, contentType.Length > 0 ? contentType : null);

    // The codes that components say with what is wrong with an ETag.
    private static async ValueTask<T> RunAsync<T>(Func<AsyncUnaryCall<T>> call)
    {
        try
        {
            return await call().ResponseAsync.ConfigureAwait(false);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.FailedPrecondition)
        {
            throw new ETagException(Invalid: false, e.Status.Detail);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.InvalidArgument)
        {
            throw new ETagException(Invalid: true, e.Status.Detail);
        }
        catch (RpcException e)
        {
            throw new StateException(PluggableCalls.Words(e), e);
        }
    }
}
