using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Secrets;

/// <summary>A secret store: <c>secretstores.local.file</c>, <c>secretstores.local.env</c>.</summary>
internal interface ISecretStore : IComponent
{
    /// <summary>The values of one secret; most have one, under the secret's own name. Null when the store has nothing to say.</summary>
    /// <exception cref="SecretNotFoundException">There is no such secret.</exception>
    ValueTask<IReadOnlyDictionary<string, string>?> GetAsync(string name, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);

    ValueTask<IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>> GetAllAsync(IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);
}

internal sealed class SecretNotFoundException(string message) : Exception(message);
