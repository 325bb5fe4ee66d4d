using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resiliency;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Configuration;

/// <summary>Configuration items of apps (https://docs.dapr.io/reference/api/configuration_api/): read, and pushed to the app as they change.</summary>
internal sealed partial class ConfigurationApi(SidecarRuntime runtime) : IBuildingBlock, IAsyncDisposable
{
    private static readonly JsonSerializerOptions ItemOptions = new(Json.Options) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault };
    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime.http");
    private readonly ConcurrentDictionary<string, ConfigurationSubscription> _subscriptions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Task> _deliveries = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _ended = new();

    public void MapHttp(Router router)
    {
        foreach (var version in (string[])["v1.0", "v1.0-alpha1"])
        {
            router.Map("configuration", version, "GET", "configuration/{store}", GetAsync);
            router.Map("configuration", version, "GET", "configuration/{store}/subscribe", SubscribeAsync);
            router.Map("configuration", version, "GET", "configuration/{store}/{id}/unsubscribe", UnsubscribeAsync);
        }

        // Not Dapr's: where there is a server, items are set with the server's own tools.
        router.Map("configuration", "platform", "PUT", "configuration/{store}/{*key}", SetAsync);
    }

    /// <summary>The items of the keys that exist; all when no key is given.</summary>
    public async ValueTask<IReadOnlyDictionary<string, ConfigurationItem>> GetAsync(string storeName, IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var store = Store(storeName);
        try
        {
            return await runtime.Metrics.MeasureAsync("configuration", storeName, "get",
                () => Policy(storeName).RunAsync(token => store.GetAsync(keys, metadata, token), cancellationToken)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw Failure("ERR_CONFIGURATION_GET", $"failed to get {string.Join(',', keys)} from Configuration store {storeName}: {e.Message}");
        }
    }

    /// <summary>Begins a subscription that <see cref="EndAsync"/> ends; whoever asked for it delivers its changes.</summary>
    public async ValueTask<ConfigurationSubscription> SubscribeAsync(string storeName, IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var store = Store(storeName);
        var subscription = new ConfigurationSubscription();
        using var counted = new CountedOperation(runtime.Metrics, "configuration", storeName, "subscribe");
        try
        {
            await Policy(storeName).RunAsync<object?>(async token =>
            {
                await subscription.StartAsync(store, keys, metadata, token).ConfigureAwait(false);
                return null;
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw Failure("ERR_CONFIGURATION_SUBSCRIBE", $"failed to subscribe {string.Join(',', keys)} from Configuration store {storeName}: {e.Message}");
        }

        _subscriptions[subscription.Id] = subscription;
        counted.Done();
        return subscription;
    }

    /// <summary>False when there is no subscription of this id.</summary>
    public async ValueTask<bool> EndAsync(string id)
    {
        if (!_subscriptions.TryRemove(id, out var subscription))
            return false;
        await subscription.DisposeAsync().ConfigureAwait(false);
        return true;
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync().ConfigureAwait(false);
        foreach (var id in _subscriptions.Keys.ToArray())
            await EndAsync(id).ConfigureAwait(false);
        await Task.WhenAll(_deliveries.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ended.Dispose();
    }

    private async Task GetAsync(ApiContext context)
    {
        var items = await GetAsync(context["store"], Keys(context), context.Metadata(), context.Cancelled).ConfigureAwait(false);
        await (items.Count == 0 ? context.NoContent() : context.Bytes(JsonSerializer.SerializeToUtf8Bytes(items, ItemOptions))).ConfigureAwait(false);
    }

    private async Task SubscribeAsync(ApiContext context)
    {
        var storeName = context["store"];
        _ = Store(storeName);
        if (!runtime.App.IsConfigured || runtime.App.IsGrpc)
            throw new ApiException(500, StatusCode.Internal, "ERR_APP_CHANNEL_NIL", "app channel is not initialized. cannot subscribe to configuration updates");
        var subscription = await SubscribeAsync(storeName, Keys(context), context.Metadata(), context.Cancelled).ConfigureAwait(false);
        _deliveries[subscription.Id] = DeliverAsync(storeName, subscription);
        await context.JsonOf(new { id = subscription.Id }).ConfigureAwait(false);
    }

    private async Task UnsubscribeAsync(ApiContext context)
    {
        _ = Store(context["store"]);
        var id = context["id"];
        if (await EndAsync(id).ConfigureAwait(false))
        {
            await context.JsonOf(new { ok = true }).ConfigureAwait(false);
        }
        else
        {
            runtime.Metrics.ErrorCodes.Count("ERR_CONFIGURATION_UNSUBSCRIBE");
            await context.JsonOf(new { message = $"failed to unsubscribe to configuration request {id}: subscription with id {id} does not exist" }, 500).ConfigureAwait(false);
        }
    }

    private async Task SetAsync(ApiContext context)
    {
        var store = Store(context["store"]);
        var value = System.Text.Encoding.UTF8.GetString(await context.BodyAsync().ConfigureAwait(false));
        await store.SetAsync(context["key"], new ConfigurationItem(value, context.Query("version") ?? ""), context.Cancelled).ConfigureAwait(false);
        await context.NoContent().ConfigureAwait(false);
    }

    // One change after the other, each once: what the app does not take is not offered again.
    private async Task DeliverAsync(string storeName, ConfigurationSubscription subscription)
    {
        try
        {
            await foreach (var (key, item) in subscription.ChangesAsync(_ended.Token).ConfigureAwait(false))
            {
                var items = new Dictionary<string, ConfigurationItem> { [key] = item };
                var body = JsonSerializer.SerializeToUtf8Bytes(new { id = subscription.Id, items }, ItemOptions);
                var path = $"/configuration/{Uri.EscapeDataString(storeName)}/{Uri.EscapeDataString(key).Replace("%3A", ":", StringComparison.Ordinal).Replace("%2F", "/", StringComparison.Ordinal)}";
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new ByteArrayContent(body) };
                request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                try
                {
                    using var response = await runtime.App.SendAsync(request, _ended.Token).ConfigureAwait(false);
                    if (!response.IsSuccessStatusCode)
                        LogRefused(storeName, key, (int)response.StatusCode);
                }
                catch (HttpRequestException e)
                {
                    LogUndelivered(storeName, key, e);
                }
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // Subscriptions end with the sidecar.
        }
        finally
        {
            _deliveries.TryRemove(subscription.Id, out _);
        }
    }

    private static string[] Keys(ApiContext context) => [.. context.Http.Request.Query["key"].OfType<string>()];

    private IConfigurationStore Store(string name)
    {
        if (runtime.Components.TryGet<IConfigurationStore>(name, out var store))
            return store;
        throw runtime.Components.All<IConfigurationStore>().Any()
            ? Refusal(400, StatusCode.InvalidArgument, "ERR_CONFIGURATION_STORE_NOT_FOUND", $"configuration store {name} not found")
            : Refusal(500, StatusCode.FailedPrecondition, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured");
    }

    private ResiliencyPolicy Policy(string store) => runtime.Resiliency.ForComponent(store, "Configuration", ComponentDirection.Outbound);

    private static ApiException Failure(string errorCode, string message) => Refusal(500, StatusCode.Internal, errorCode, message);

    private static ApiException Refusal(int status, StatusCode code, string errorCode, string message) => new(status, code, errorCode, message) { GrpcDetails = [ApiException.Info(errorCode)] };

    [LoggerMessage(Level = LogLevel.Error, Message = "error sending configuration item {Key} of {Store} to the app: status {Status}")]
    private partial void LogRefused(string store, string key, int status);

    [LoggerMessage(Level = LogLevel.Error, Message = "error sending configuration item {Key} of {Store} to the app")]
    private partial void LogUndelivered(string store, string key, Exception error);
}
