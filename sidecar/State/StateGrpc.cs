using System.Text.Json;
using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.State;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using StateItem = Dapr.Proto.Common.V1.StateItem;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The gRPC face of state. Values are bytes and stay as they are, unless their metadata calls them JSON.</summary>
internal sealed partial class DaprGrpcService
{
    private static readonly Empty Nothing = new();

    private StateApi State => field ??= _runtime.Block<StateApi>();

    public override Task<GetStateResponse> GetState(GetStateRequest request, ServerCallContext context) => Translated(GetStateAsync(request, context));

    public override Task<GetBulkStateResponse> GetBulkState(GetBulkStateRequest request, ServerCallContext context) => Translated(GetBulkStateAsync(request, context));

    public override Task<Empty> SaveState(SaveStateRequest request, ServerCallContext context) => Translated(SaveStateAsync(request, context));

    public override Task<Empty> DeleteState(DeleteStateRequest request, ServerCallContext context) => Translated(DeleteStateAsync(request, context));

    public override Task<Empty> DeleteBulkState(DeleteBulkStateRequest request, ServerCallContext context) => Translated(DeleteBulkStateAsync(request, context));

    public override Task<Empty> ExecuteStateTransaction(ExecuteStateTransactionRequest request, ServerCallContext context) => Translated(TransactAsync(request, context));

    public override Task<QueryStateResponse> QueryStateAlpha1(QueryStateRequest request, ServerCallContext context) => Translated(QueryAsync(request, context));

    private async ValueTask<GetStateResponse> GetStateAsync(GetStateRequest request, ServerCallContext context)
    {
        var store = State.Store(request.StoreName);
        var item = await State.GetAsync(store, request.Key, (Consistency)request.Consistency, request.Metadata, context.CancellationToken).ConfigureAwait(false);
        var response = new GetStateResponse();
        if (item is null)
            return response;
        response.Data = UnsafeByteOperations.UnsafeWrap(item.Value);
        response.Etag = item.ETag ?? "";
        if (item.ExpiresAt is { } expiry)
            response.Metadata["ttlExpireTime"] = StateApi.ExpireTime(expiry);
        return response;
    }

    private async ValueTask<GetBulkStateResponse> GetBulkStateAsync(GetBulkStateRequest request, ServerCallContext context)
    {
        var store = State.Store(request.StoreName);
        var response = new GetBulkStateResponse();
        foreach (var (key, item, error) in await State.GetManyAsync(store, request.Keys, request.Metadata, context.CancellationToken).ConfigureAwait(false))
        {
            var entry = new BulkStateItem { Key = key, Error = error ?? "" };
            if (item is not null)
            {
                entry.Data = UnsafeByteOperations.UnsafeWrap(item.Value);
                entry.Etag = item.ETag ?? "";
                if (item.ExpiresAt is { } expiry)
                    entry.Metadata["ttlExpireTime"] = StateApi.ExpireTime(expiry);
            }

            response.Items.Add(entry);
        }

        return response;
    }

    private async ValueTask<Empty> SaveStateAsync(SaveStateRequest request, ServerCallContext context)
    {
        var store = State.Store(request.StoreName);
        var requests = new StateRequest[request.States.Count];
        for (var i = 0; i < requests.Length; i++)
        {
            if (request.States[i].Key.Length == 0)
                throw StateErrors.Plain(400, StatusCode.InvalidArgument, "ERR_STATE_SAVE", "state key cannot be empty");
            requests[i] = Requested(request.States[i]);
        }

        if (requests.Length > 0)
            await State.SaveAsync(store, requests, context.CancellationToken).ConfigureAwait(false);
        return Nothing;
    }

    private async ValueTask<Empty> DeleteStateAsync(DeleteStateRequest request, ServerCallContext context)
    {
        var store = State.Store(request.StoreName);
        var item = new StateItem { Key = request.Key, Etag = request.Etag, Options = request.Options, Metadata = { request.Metadata } };
        await State.DeleteAsync(store, Requested(item), context.CancellationToken).ConfigureAwait(false);
        return Nothing;
    }

    private async ValueTask<Empty> DeleteBulkStateAsync(DeleteBulkStateRequest request, ServerCallContext context)
    {
        var store = State.Store(request.StoreName);
        if (request.States.Count > 0)
            await State.DeleteManyAsync(store, [.. request.States.Select(Requested)], context.CancellationToken).ConfigureAwait(false);
        return Nothing;
    }

    private async ValueTask<Empty> TransactAsync(ExecuteStateTransactionRequest request, ServerCallContext context)
    {
        var store = State.Store(request.StoreName);
        var operations = request.Operations.Select(o => (o.OperationType, Requested(o.Request ?? new StateItem()))).ToList();
        await State.TransactAsync(store, operations, request.Metadata, context.CancellationToken).ConfigureAwait(false);
        return Nothing;
    }

    private async ValueTask<QueryStateResponse> QueryAsync(QueryStateRequest request, ServerCallContext context)
    {
        var store = State.Store(request.StoreName);
        var answer = await State.QueryAsync(store, ByteString.CopyFromUtf8(request.Query).Memory, request.Metadata, context.CancellationToken).ConfigureAwait(false);
        var response = new QueryStateResponse { Token = answer.Token };
        foreach (var (key, item) in answer.Items)
            response.Results.Add(new QueryStateItem { Key = KeyPrefix.Original(key), Data = UnsafeByteOperations.UnsafeWrap(item.Value), Etag = item.ETag ?? "" });
        return response;
    }

    private static StateRequest Requested(StateItem item)
    {
        var value = item.Value.Memory;
        item.Metadata.TryGetValue("contentType", out var contentType);
        var isJson = contentType?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) == true && !value.IsEmpty;
        if (isJson)
        {
            try
            {
                value = GoJson.Canonical(value.Span);
            }
            catch (JsonException e)
            {
                throw new RpcException(new Status(StatusCode.Unknown, e.Message));
            }
        }

        var concurrency = item.Options?.Concurrency switch
        {
            StateOptions.Types.StateConcurrency.ConcurrencyFirstWrite => "first-write",
            StateOptions.Types.StateConcurrency.ConcurrencyLastWrite => "last-write",
            _ => "",
        };
        var consistency = item.Options?.Consistency switch
        {
            StateOptions.Types.StateConsistency.ConsistencyEventual => "eventual",
            StateOptions.Types.StateConsistency.ConsistencyStrong => "strong",
            _ => "",
        };
        return new StateRequest(item.Key, value, item.Etag?.Value, concurrency, consistency, item.Metadata.Count > 0 ? item.Metadata : null, IsBinary: !isJson, contentType);
    }
}
