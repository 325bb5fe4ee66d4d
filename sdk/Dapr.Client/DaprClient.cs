using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Text.Json;
using Dapr.Common;

namespace Dapr.Client;

/// <summary>
/// The sidecar's API. Instances are thread-safe and meant to live as long as the process. Operations that the sidecar refuses throw
/// <see cref="DaprException"/> with its reason inside; cancelled ones throw <see cref="OperationCanceledException"/>.
/// </summary>
public abstract partial class DaprClient : IDisposable
{
    bool _disposed;

    /// <summary>How values become JSON.</summary>
    public abstract JsonSerializerOptions JsonSerializerOptions { get; }

    /// <summary>Calls a binding and leaves its answer.</summary>
    public abstract Task InvokeBindingAsync<TRequest>(
        string bindingName, string operation, TRequest data, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default);

    /// <summary>Calls a binding and reads its answer from JSON.</summary>
    public abstract Task<TResponse> InvokeBindingAsync<TRequest, TResponse>(
        string bindingName, string operation, TRequest data, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default);

    /// <summary>Calls a binding with bytes; the answer are bytes too.</summary>
    public abstract Task<BindingResponse> InvokeBindingAsync(BindingRequest request, CancellationToken cancellationToken = default);

    /// <summary>A secret, by the names of its parts; a secret of one part has it under the secret's own name.</summary>
    public abstract Task<Dictionary<string, string>> GetSecretAsync(
        string storeName, string key, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default);

    /// <summary>All secrets that the app may read.</summary>
    public abstract Task<Dictionary<string, Dictionary<string, string>>> GetBulkSecretAsync(
        string storeName, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default);

    /// <summary>Configuration items; without keys: all.</summary>
    public abstract Task<GetConfigurationResponse> GetConfiguration(
        string storeName, IReadOnlyList<string> keys, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default);

    /// <summary>Follows changes of configuration items until the token is cancelled or the subscription is ended by its id.</summary>
    public abstract Task<SubscribeConfigurationResponse> SubscribeConfiguration(
        string storeName, IReadOnlyList<string> keys, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default);

    /// <summary>Ends a subscription.</summary>
    public abstract Task<UnsubscribeConfigurationResponse> UnsubscribeConfiguration(string storeName, string id, CancellationToken cancellationToken = default);

    /// <summary>Takes a lock if it is free.</summary>
    /// <param name="storeName">The lock store.</param>
    /// <param name="resourceId">What is locked.</param>
    /// <param name="lockOwner">Who locks; only the same owner can unlock.</param>
    /// <param name="expiryInSeconds">After so many seconds the lock is free again.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    [Experimental("DAPR_DISTRIBUTEDLOCK")]
    public abstract Task<TryLockResponse> Lock(string storeName, string resourceId, string lockOwner, int expiryInSeconds, CancellationToken cancellationToken = default);

    /// <summary>Frees a lock.</summary>
    [Experimental("DAPR_DISTRIBUTEDLOCK")]
    public abstract Task<UnlockResponse> Unlock(string storeName, string resourceId, string lockOwner, CancellationToken cancellationToken = default);

    /// <summary>Whether the sidecar is healthy, its app included.</summary>
    public abstract Task<bool> CheckHealthAsync(CancellationToken cancellationToken = default);

    /// <summary>Whether the sidecar can be used; its app need not be up.</summary>
    public abstract Task<bool> CheckOutboundHealthAsync(CancellationToken cancellationToken = default);

    /// <summary>Returns when the sidecar can be used; asks twice a second.</summary>
    public abstract Task WaitForSidecarAsync(CancellationToken cancellationToken = default);

    /// <summary>Ends the sidecar.</summary>
    public abstract Task ShutdownSidecarAsync(CancellationToken cancellationToken = default);

    /// <summary>What the sidecar says about itself.</summary>
    public abstract Task<DaprMetadata> GetMetadataAsync(CancellationToken cancellationToken = default);

    /// <summary>Adds an attribute to what the sidecar says about itself.</summary>
    public abstract Task SetMetadataAsync(string attributeName, string attributeValue, CancellationToken cancellationToken = default);

    /// <summary>Encrypts bytes in the format of the Dapr crypto scheme.</summary>
    [Experimental("DAPR_CRYPTOGRAPHY")]
    public abstract Task<ReadOnlyMemory<byte>> EncryptAsync(
        string vaultResourceName, ReadOnlyMemory<byte> plaintextBytes, string keyName, EncryptionOptions encryptionOptions, CancellationToken cancellationToken = default);

    /// <summary>Encrypts a stream; the answer comes while the stream is being read.</summary>
    [Experimental("DAPR_CRYPTOGRAPHY")]
    public abstract IAsyncEnumerable<ReadOnlyMemory<byte>> EncryptAsync(
        string vaultResourceName, Stream plaintextStream, string keyName, EncryptionOptions encryptionOptions, CancellationToken cancellationToken = default);

    /// <summary>Decrypts bytes.</summary>
    [Experimental("DAPR_CRYPTOGRAPHY")]
    public abstract Task<ReadOnlyMemory<byte>> DecryptAsync(
        string vaultResourceName, ReadOnlyMemory<byte> ciphertextBytes, string keyName, DecryptionOptions options, CancellationToken cancellationToken = default);

    /// <summary>Decrypts bytes.</summary>
    [Experimental("DAPR_CRYPTOGRAPHY")]
    public abstract Task<ReadOnlyMemory<byte>> DecryptAsync(
        string vaultResourceName, ReadOnlyMemory<byte> ciphertextBytes, string keyName, CancellationToken cancellationToken = default);

    /// <summary>Decrypts a stream; the answer comes while the stream is being read.</summary>
    [Experimental("DAPR_CRYPTOGRAPHY")]
    public abstract IAsyncEnumerable<ReadOnlyMemory<byte>> DecryptAsync(
        string vaultResourceName, Stream ciphertextStream, string keyName, DecryptionOptions options, CancellationToken cancellationToken = default);

    /// <summary>Decrypts a stream; the answer comes while the stream is being read.</summary>
    [Experimental("DAPR_CRYPTOGRAPHY")]
    public abstract IAsyncEnumerable<ReadOnlyMemory<byte>> DecryptAsync(
        string vaultResourceName, Stream ciphertextStream, string keyName, CancellationToken cancellationToken = default);

    /// <inheritdoc />
    public void Dispose()
    {
        if (_disposed)
            return;
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
        _disposed = true;
    }

    /// <summary>Closes connections.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>How this library names itself to the sidecar.</summary>
    protected static ProductInfoHeaderValue UserAgent() => DaprHeaders.UserAgent;
}
