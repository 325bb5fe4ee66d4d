using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Cryptography;

/// <summary>A component that holds keys: <c>crypto.dapr.localstorage</c>, <c>crypto.dapr.jwks</c>.</summary>
internal interface ICryptoProvider : IComponent
{
    /// <exception cref="CryptoException">There is no such key, or it is malformed.</exception>
    ValueTask<CryptoKey> KeyAsync(string name, CancellationToken cancellationToken);
}
