using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resiliency;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Secrets;

/// <summary>Secrets of apps (https://docs.dapr.io/reference/api/secrets_api/), within their scopes.</summary>
internal sealed class SecretsApi(SidecarRuntime runtime) : IBuildingBlock
{
    private readonly SecretScopes _scopes = new(runtime.Configuration.Spec);

    public void MapHttp(Router router)
    {
        router.Map("secrets", "v1.0", "GET", "secrets/{store}/bulk", async context =>
            await context.JsonOf(await GetAllAsync(context["store"], context.Metadata(), context.Cancelled).ConfigureAwait(false)).ConfigureAwait(false));
        router.Map("secrets", "v1.0", "GET", "secrets/{store}/{key}", async context =>
        {
            var secret = await GetAsync(context["store"], context["key"], context.Metadata(), context.Cancelled).ConfigureAwait(false);
            await (secret is null ? context.NoContent() : context.JsonOf(secret)).ConfigureAwait(false);
        });
    }

    /// <summary>The values of a secret; null when the store has nothing to say.</summary>
    public async ValueTask<IReadOnlyDictionary<string, string>?> GetAsync(string storeName, string name, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var store = Store(storeName);
        if (!_scopes.Allows(storeName, name))
            throw new ApiException(403, StatusCode.PermissionDenied, "ERR_PERMISSION_DENIED", $"access denied by policy to get \"{name}\" from \"{storeName}\"");
        try
        {
            return await runtime.Metrics.MeasureAsync("secret", storeName, "get",
                () => Policy(storeName).RunAsync(token => store.GetAsync(name, metadata, token), cancellationToken)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw ApiException.Internal("ERR_SECRET_GET", $"failed getting secret with key {name} from secret store {storeName}: {e.Message}");
        }
    }

    /// <summary>All secrets the app may have.</summary>
    public async ValueTask<IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>> GetAllAsync(string storeName, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var store = Store(storeName);
        try
        {
            var all = await runtime.Metrics.MeasureAsync("secret", storeName, "bulk_get",
                () => Policy(storeName).RunAsync(token => store.GetAllAsync(metadata, token), cancellationToken)).ConfigureAwait(false);
            var allowed = new SortedDictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);
            foreach (var (name, secret) in all)
            {
                if (_scopes.Allows(storeName, name))
                    allowed[name] = secret;
            }

            return allowed;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw ApiException.Internal("ERR_SECRET_GET", $"failed getting bulk secrets from secret store {storeName}: {e.Message}");
        }
    }

    private ISecretStore Store(string name)
    {
        if (runtime.Components.TryGet<ISecretStore>(name, out var store))
            return store;
        throw runtime.Components.All<ISecretStore>().Any()
            ? new ApiException(401, StatusCode.InvalidArgument, "ERR_SECRET_STORE_NOT_FOUND", $"failed finding secret store with key {name}")
            : new ApiException(500, StatusCode.FailedPrecondition, "ERR_SECRET_STORES_NOT_CONFIGURED", "secret store is not configured");
    }

    private ResiliencyPolicy Policy(string store) => runtime.Resiliency.ForComponent(store, "Secretstore", ComponentDirection.Outbound);
}
