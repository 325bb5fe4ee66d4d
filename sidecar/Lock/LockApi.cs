using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Introspection;
using DaprPlatform.Sidecar.Resiliency;
using Google.Protobuf;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Locking;

/// <summary>Distributed locks of apps (https://docs.dapr.io/reference/api/distributed_lock_api/).</summary>
internal sealed class LockApi(SidecarRuntime runtime) : IBuildingBlock
{
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    public void MapHttp(Router router)
    {
        router.Map("lock", "v1.0-alpha1", "POST", "lock/{store}", async context =>
        {
            var request = await ReadAsync<TryLockRequest>(context).ConfigureAwait(false);
            request.StoreName = context["store"];
            await context.JsonOf(new { success = await TryLockAsync(request, context.Cancelled).ConfigureAwait(false) }).ConfigureAwait(false);
        });
        router.Map("unlock", "v1.0-alpha1", "POST", "unlock/{store}", async context =>
        {
            var request = await ReadAsync<UnlockRequest>(context).ConfigureAwait(false);
            request.StoreName = context["store"];
            await context.JsonOf(new { status = (int)await UnlockAsync(request, context.Cancelled).ConfigureAwait(false) }).ConfigureAwait(false);
        });
    }

    public async ValueTask<bool> TryLockAsync(TryLockRequest request, CancellationToken cancellationToken)
    {
        Check(request.StoreName, request.ResourceId, request.LockOwner);
        if (request.ExpiryInSeconds <= 0)
            throw Malformed($"ExpiryInSeconds is not positive in lock store {request.StoreName}");
        var store = Store(request.StoreName);
        try
        {
            var key = Key(request.StoreName, request.ResourceId);
            var taken = await Policy(request.StoreName)
                .RunAsync(token => store.TryLockAsync(key, request.LockOwner, TimeSpan.FromSeconds(request.ExpiryInSeconds), token), cancellationToken).ConfigureAwait(false);
            if (taken)
                runtime.Engine.Changes.Tell(RuntimeAreas.Locks);
            return taken;
        }
        catch (Exception e) when (e is not (OperationCanceledException or ApiException))
        {
            throw ApiException.Internal("ERR_TRY_LOCK", $"failed to try acquiring lock: {e.Message}");
        }
    }

    public async ValueTask<UnlockStatus> UnlockAsync(UnlockRequest request, CancellationToken cancellationToken)
    {
        Check(request.StoreName, request.ResourceId, request.LockOwner);
        var store = Store(request.StoreName);
        try
        {
            var key = Key(request.StoreName, request.ResourceId);
            var status = await Policy(request.StoreName).RunAsync(token => store.UnlockAsync(key, request.LockOwner, token), cancellationToken).ConfigureAwait(false);
            if (status == UnlockStatus.Success)
                runtime.Engine.Changes.Tell(RuntimeAreas.Locks);
            return status;
        }
        catch (Exception e) when (e is not (OperationCanceledException or ApiException))
        {
            throw ApiException.Internal("ERR_UNLOCK", $"failed to release lock: {e.Message}");
        }
    }

    private static async ValueTask<T> ReadAsync<T>(ApiContext context) where T : IMessage, new()
    {
        try
        {
            var body = await context.BodyAsync().ConfigureAwait(false);
            return body.Length == 0 ? new T() : (T)Parser.Parse(System.Text.Encoding.UTF8.GetString(body), new T().Descriptor);
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException or BodyTooLargeException)
        {
            throw Malformed($"failed deserializing HTTP body: {e.Message}");
        }
    }

    private static void Check(string store, string resource, string owner)
    {
        if (resource.Length == 0)
            throw Malformed($"ResourceId is empty in lock store {store}");
        if (owner.Length == 0)
            throw Malformed($"LockOwner is empty in lock store {store}");
    }

    private static ApiException Malformed(string message) => ApiException.BadRequest("ERR_MALFORMED_REQUEST", message);

    private string Key(string store, string resource)
    {
        if (!KeyPrefix.IsLegal(resource))
            throw new ArgumentException(KeyPrefix.Refusal(resource));
        return "lock||" + new KeyPrefix(runtime.Components.SpecOf(store)!).Stored(resource);
    }

    private ILockStore Store(string name)
    {
        if (runtime.Components.TryGet<ILockStore>(name, out var store))
            return store;
        throw runtime.Components.All<ILockStore>().Any()
            ? new ApiException(400, StatusCode.InvalidArgument, "ERR_LOCK_STORE_NOT_FOUND", $"lock store {name} not found")
            : new ApiException(500, StatusCode.FailedPrecondition, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured");
    }

    private ResiliencyPolicy Policy(string store) => runtime.Resiliency.ForComponent(store, "Lock", ComponentDirection.Outbound);
}
