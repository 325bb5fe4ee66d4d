using System.Text.Json;
using Dapr.Common;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;
using Grpc.Net.Client;
using Wire = Dapr.Proto.Runtime.V1;

namespace Dapr.Client;

/// <summary>The client over the sidecar's gRPC API; service invocation and health over its HTTP API.</summary>
internal sealed partial class DaprClientGrpc : DaprClient
{
    static readonly TimeSpan HealthInterval = TimeSpan.FromMilliseconds(500);

    readonly GrpcChannel _channel;
    readonly Wire.Dapr.DaprClient _client;
    readonly HttpClient _http;
    readonly Uri _httpEndpoint;
    readonly string _apiToken;
    readonly StableOrAlpha<Wire.BulkPublishRequest, Wire.BulkPublishResponse> _bulkPublish;

    internal DaprClientGrpc(GrpcChannel channel, HttpClient http, Uri httpEndpoint, JsonSerializerOptions json, string apiToken)
    {
        _channel = channel;
        _client = new Wire.Dapr.DaprClient(channel);
        _http = http;
        _httpEndpoint = httpEndpoint;
        _apiToken = apiToken;
        JsonSerializerOptions = json;
        _bulkPublish = new(_client.BulkPublishEventAsync, _client.BulkPublishEventAlpha1Async, "BulkPublishEvent", "Bulk Publish");
    }

    public override JsonSerializerOptions JsonSerializerOptions { get; }

    public override async Task InvokeBindingAsync<TRequest>(
        string bindingName, string operation, TRequest data, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(bindingName);
        ArgumentException.ThrowIfNullOrEmpty(operation);
        await SendBinding(bindingName, operation, data is null ? null : ToJson(data), metadata, cancellationToken).ConfigureAwait(false);
    }

    public override async Task<TResponse> InvokeBindingAsync<TRequest, TResponse>(
        string bindingName, string operation, TRequest data, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(bindingName);
        ArgumentException.ThrowIfNullOrEmpty(operation);
        var response = await SendBinding(bindingName, operation, data is null ? null : ToJson(data), metadata, cancellationToken).ConfigureAwait(false);
        return FromJson<TResponse>(response.Data, "Binding", "response payload");
    }

    public override async Task<BindingResponse> InvokeBindingAsync(BindingRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var response = await SendBinding(request.BindingName, request.Operation, ByteString.CopyFrom(request.Data.Span), request.Metadata, cancellationToken).ConfigureAwait(false);
        return new BindingResponse(request, response.Data.Memory, response.Metadata);
    }

    Task<Wire.InvokeBindingResponse> SendBinding(string name, string operation, ByteString? data, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        var request = new Wire.InvokeBindingRequest { Name = name, Operation = operation };
        if (data is not null)
            request.Data = data;
        Add(request.Metadata, metadata);
        return _client.InvokeBindingAsync(request, Options(cancellationToken)).Unwrap("Binding");
    }

    public override async Task<Dictionary<string, string>> GetSecretAsync(
        string storeName, string key, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(key);
        var request = new Wire.GetSecretRequest { StoreName = storeName, Key = key };
        Add(request.Metadata, metadata);
        var response = await _client.GetSecretAsync(request, Options(cancellationToken)).Unwrap("Secret").ConfigureAwait(false);
        return new Dictionary<string, string>(response.Data);
    }

    public override async Task<Dictionary<string, Dictionary<string, string>>> GetBulkSecretAsync(
        string storeName, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        var request = new Wire.GetBulkSecretRequest { StoreName = storeName };
        Add(request.Metadata, metadata);
        var response = await _client.GetBulkSecretAsync(request, Options(cancellationToken)).Unwrap("Bulk secret").ConfigureAwait(false);
        return response.Data.ToDictionary(s => s.Key, s => new Dictionary<string, string>(s.Value.Secrets));
    }

    public override async Task<GetConfigurationResponse> GetConfiguration(
        string storeName, IReadOnlyList<string> keys, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        var request = new Wire.GetConfigurationRequest { StoreName = storeName };
        if (keys is not null)
            request.Keys.AddRange(keys);
        Add(request.Metadata, metadata);
        var response = await _client.GetConfigurationAsync(request, Options(cancellationToken)).Unwrap("GetConfiguration").ConfigureAwait(false);
        return new GetConfigurationResponse(response.Items.ToDictionary(i => i.Key, i => new ConfigurationItem(i.Value.Value, i.Value.Version, i.Value.Metadata)));
    }

    public override Task<SubscribeConfigurationResponse> SubscribeConfiguration(
        string storeName, IReadOnlyList<string> keys, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        var request = new Wire.SubscribeConfigurationRequest { StoreName = storeName };
        if (keys is not null)
            request.Keys.AddRange(keys);
        Add(request.Metadata, metadata);
        return Task.FromResult(new SubscribeConfigurationResponse(new SubscribedConfiguration(_client.SubscribeConfiguration(request, Options(cancellationToken)))));
    }

    public override async Task<UnsubscribeConfigurationResponse> UnsubscribeConfiguration(string storeName, string id, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(id);
        var request = new Wire.UnsubscribeConfigurationRequest { StoreName = storeName, Id = id };
        var response = await _client.UnsubscribeConfigurationAsync(request, Options(cancellationToken)).Unwrap("UnsubscribeConfiguration").ConfigureAwait(false);
        return new UnsubscribeConfigurationResponse(response.Ok, response.Message);
    }

    public override async Task<TryLockResponse> Lock(string storeName, string resourceId, string lockOwner, int expiryInSeconds, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(resourceId);
        ArgumentException.ThrowIfNullOrEmpty(lockOwner);
        if (expiryInSeconds <= 0)
            throw new ArgumentException("A lock expires after at least one second.", nameof(expiryInSeconds));
        var request = new Wire.TryLockRequest { StoreName = storeName, ResourceId = resourceId, LockOwner = lockOwner, ExpiryInSeconds = expiryInSeconds };
        var response = await _client.TryLockAlpha1Async(request, Options(cancellationToken)).Unwrap("Lock").ConfigureAwait(false);
        return new TryLockResponse { StoreName = storeName, ResourceId = resourceId, LockOwner = lockOwner, Success = response.Success, Client = this };
    }

    public override async Task<UnlockResponse> Unlock(string storeName, string resourceId, string lockOwner, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(resourceId);
        ArgumentException.ThrowIfNullOrEmpty(lockOwner);
        var request = new Wire.UnlockRequest { StoreName = storeName, ResourceId = resourceId, LockOwner = lockOwner };
        var response = await _client.UnlockAlpha1Async(request, Options(cancellationToken)).Unwrap("Unlock").ConfigureAwait(false);
        return new UnlockResponse(response.Status switch
        {
            Wire.UnlockResponse.Types.Status.Success => LockStatus.Success,
            Wire.UnlockResponse.Types.Status.LockDoesNotExist => LockStatus.LockDoesNotExist,
            Wire.UnlockResponse.Types.Status.LockBelongsToOthers => LockStatus.LockBelongsToOthers,
            _ => LockStatus.InternalError,
        });
    }

    public override Task<bool> CheckHealthAsync(CancellationToken cancellationToken = default) => IsHealthy("/v1.0/healthz", cancellationToken);

    public override Task<bool> CheckOutboundHealthAsync(CancellationToken cancellationToken = default) => IsHealthy("/v1.0/healthz/outbound", cancellationToken);

    async Task<bool> IsHealthy(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_httpEndpoint, path));
        AddToken(request);
        try
        {
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    public override async Task WaitForSidecarAsync(CancellationToken cancellationToken = default)
    {
        while (!await CheckOutboundHealthAsync(cancellationToken).ConfigureAwait(false))
            await Task.Delay(HealthInterval, cancellationToken).ConfigureAwait(false);
    }

    public override async Task ShutdownSidecarAsync(CancellationToken cancellationToken = default) =>
        await _client.ShutdownAsync(new Wire.ShutdownRequest(), Options(cancellationToken)).Unwrap("Shutdown").ConfigureAwait(false);

    public override async Task<DaprMetadata> GetMetadataAsync(CancellationToken cancellationToken = default)
    {
        var response = await _client.GetMetadataAsync(new Wire.GetMetadataRequest(), Options(cancellationToken)).Unwrap("Get metadata").ConfigureAwait(false);
        return new DaprMetadata(
            response.Id,
            [.. (response.ActorRuntime?.ActiveActors ?? []).Select(a => new DaprActorMetadata(a.Type, a.Count))],
            response.ExtendedMetadata,
            [.. response.RegisteredComponents.Select(c => new DaprComponentsMetadata(c.Name, c.Type, c.Version, [.. c.Capabilities]))]);
    }

    public override async Task SetMetadataAsync(string attributeName, string attributeValue, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(attributeName);
        var request = new Wire.SetMetadataRequest { Key = attributeName, Value = attributeValue };
        await _client.SetMetadataAsync(request, Options(cancellationToken)).Unwrap("Set metadata").ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        _channel.Dispose();
        _http.Dispose();
    }

    CallOptions Options(CancellationToken cancellationToken) => DaprHeaders.CallOptions(_apiToken, cancellationToken);

    ByteString ToJson<T>(T value) => UnsafeByteOperations.UnsafeWrap(JsonSerializer.SerializeToUtf8Bytes(value, JsonSerializerOptions));

    // An absent value is no JSON at all.
    T FromJson<T>(ByteString json, string operation, string what)
    {
        if (json.IsEmpty)
            return default!;
        try
        {
            return JsonSerializer.Deserialize<T>(json.Span, JsonSerializerOptions)!;
        }
        catch (JsonException e)
        {
            throw new DaprException($"{operation} operation failed: the {what} could not be deserialized. See InnerException for details.", e);
        }
    }

    static void Add(MapField<string, string> to, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null)
            return;
        foreach (var (key, value) in metadata)
            to.Add(key, value);
    }
}
