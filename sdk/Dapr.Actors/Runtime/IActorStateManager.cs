namespace Dapr.Actors.Runtime;

/// <summary>
/// An actor's state. Values are read once per activation; changes are kept here until <see cref="SaveStateAsync"/>, which the runtime calls after every
/// call of the actor that does not throw. Times to live are rounded up to seconds.
/// </summary>
public interface IActorStateManager
{
    /// <exception cref="InvalidOperationException">There is a value of that name.</exception>
    Task AddStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default);

    /// <exception cref="InvalidOperationException">There is a value of that name.</exception>
    Task AddStateAsync<T>(string stateName, T value, TimeSpan ttl, CancellationToken cancellationToken = default);

    /// <exception cref="KeyNotFoundException">There is no value of that name.</exception>
    Task<T> GetStateAsync<T>(string stateName, CancellationToken cancellationToken = default);

    Task SetStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default);

    Task SetStateAsync<T>(string stateName, T value, TimeSpan ttl, CancellationToken cancellationToken = default);

    /// <exception cref="KeyNotFoundException">There is no value of that name.</exception>
    Task RemoveStateAsync(string stateName, CancellationToken cancellationToken = default);

    /// <returns>False if there is a value of that name.</returns>
    Task<bool> TryAddStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default);

    /// <returns>False if there is a value of that name.</returns>
    Task<bool> TryAddStateAsync<T>(string stateName, T value, TimeSpan ttl, CancellationToken cancellationToken = default);

    Task<ConditionalValue<T>> TryGetStateAsync<T>(string stateName, CancellationToken cancellationToken = default);

    /// <returns>False if there is no value of that name.</returns>
    Task<bool> TryRemoveStateAsync(string stateName, CancellationToken cancellationToken = default);

    Task<bool> ContainsStateAsync(string stateName, CancellationToken cancellationToken = default);

    Task<T> GetOrAddStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default);

    Task<T> GetOrAddStateAsync<T>(string stateName, T value, TimeSpan ttl, CancellationToken cancellationToken = default);

    Task<T> AddOrUpdateStateAsync<T>(string stateName, T addValue, Func<string, T, T> updateValueFactory, CancellationToken cancellationToken = default);

    Task<T> AddOrUpdateStateAsync<T>(
        string stateName,
        T addValue,
        Func<string, T, T> updateValueFactory,
        TimeSpan ttl,
        CancellationToken cancellationToken = default);

    /// <summary>Forgets what was read and what was changed since the last save.</summary>
    Task ClearCacheAsync(CancellationToken cancellationToken = default);

    /// <summary>Saves all changes, or none.</summary>
    Task SaveStateAsync(CancellationToken cancellationToken = default);

    /// <summary>Forgets a value that was read; the next access reads it again.</summary>
    /// <exception cref="InvalidOperationException">It has changes that are not saved.</exception>
    Task UnloadStateAsync(string stateName, CancellationToken cancellationToken = default);
}
