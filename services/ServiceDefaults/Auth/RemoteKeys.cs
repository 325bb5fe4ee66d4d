using DaprPlatform.Contracts.Users;
using DaprPlatform.ServiceDefaults.Problems;
using Grpc.Core;

namespace DaprPlatform.ServiceDefaults.Auth;

/// <summary>The keys of the users service, fetched when a token names one that is not known yet.</summary>
/// <remarks>
/// Once fetched they keep working while the users service is down. Unknown key ids cause at most one fetch per <see cref="MinInterval"/>; a set older than
/// <see cref="MaxAge"/> is fetched again, so that a key that was taken out stops to work.
/// </remarks>
internal sealed class RemoteKeys(Users.UsersClient users, TimeProvider time) : IVerificationKeys, IDisposable
{
    // Below what a start of the users service takes: a key that came with it is known to whoever meets its first token.
    private static readonly TimeSpan MinInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(5);
    private readonly SemaphoreSlim _fetching = new(1, 1);
    private volatile Dictionary<string, Jwk> _keys = [];
    private long _fetchedAt;

    public async ValueTask<Jwk?> FindAsync(string keyId, CancellationToken cancellationToken)
    {
        if (_keys.TryGetValue(keyId, out var key) && time.GetElapsedTime(Volatile.Read(ref _fetchedAt)) < MaxAge)
            return key;
        await _fetching.WaitAsync(cancellationToken);
        try
        {
            var age = time.GetElapsedTime(Volatile.Read(ref _fetchedAt));
            if (_keys.TryGetValue(keyId, out key) ? age < MaxAge : _keys.Count > 0 && age < MinInterval)
                return key;
            var set = await users.GetKeysAsync(new GetKeysRequest(), cancellationToken: cancellationToken);
            _keys = Jwk.ReadSet(set.JwksJson).ToDictionary(k => k.KeyId, StringComparer.Ordinal);
            Volatile.Write(ref _fetchedAt, time.GetTimestamp());
            return _keys.GetValueOrDefault(keyId);
        }
        catch (RpcException) when (key is not null)
        {
            // Not asked again at every request meanwhile.
            Volatile.Write(ref _fetchedAt, time.GetTimestamp());
            return key;
        }
        catch (RpcException e)
        {
            // A token that cannot be checked is neither good nor bad.
            throw Refusals.Unavailable("The users service", e);
        }
        finally
        {
            _fetching.Release();
        }
    }

    public void Dispose() => _fetching.Dispose();
}

/// <summary>Keys that are at hand: the issuer's own.</summary>
public sealed class LocalKeys(params IEnumerable<Jwk> keys) : IVerificationKeys
{
    private readonly Dictionary<string, Jwk> _keys = keys.ToDictionary(k => k.KeyId, StringComparer.Ordinal);

    public ValueTask<Jwk?> FindAsync(string keyId, CancellationToken cancellationToken) => new(_keys.GetValueOrDefault(keyId));
}
