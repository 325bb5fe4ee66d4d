using Dapr;
using Dapr.Client;
using DaprPlatform.ServiceDefaults.Auth;

namespace DaprPlatform.Users.Domain;

/// <summary>
/// The keys of access tokens, from the secret store. The secret holds one PEM key or several: the first signs, all verify. To rotate, put the new key in front,
/// and take the old one out once the last token it signed has expired; no restart is needed, the secret is read again every minute.
/// </summary>
internal sealed partial class SigningKeys(DaprClient dapr, JwtOptions options, TimeProvider time, ILogger<SigningKeys> logger) : IVerificationKeys, IDisposable
{
    private const string Store = "secretstore";
    private const string Secret = "jwt-signing-key";
    private const string EndOfKey = "-----END PRIVATE KEY-----";
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(1);
    private readonly SemaphoreSlim _loading = new(1, 1);
    private volatile Ring? _ring;

    public async ValueTask<JwtSigner> GetAsync(CancellationToken cancellationToken) => (await RingAsync(cancellationToken)).Signer;

    /// <summary>Those that tokens may be signed with.</summary>
    public async ValueTask<IReadOnlyList<Jwk>> PublicKeysAsync(CancellationToken cancellationToken) => (await RingAsync(cancellationToken)).PublicKeys;

    public async ValueTask<Jwk?> FindAsync(string keyId, CancellationToken cancellationToken) =>
        (await RingAsync(cancellationToken)).PublicKeys.FirstOrDefault(k => k.KeyId == keyId);

    public void Dispose()
    {
        _ring?.Signer.Dispose();
        _loading.Dispose();
    }

    private async ValueTask<Ring> RingAsync(CancellationToken cancellationToken)
    {
        if (_ring is { } ring && time.GetElapsedTime(ring.ReadAt) < MaxAge)
            return ring;
        await _loading.WaitAsync(cancellationToken);
        try
        {
            var known = _ring;
            if (known is not null && time.GetElapsedTime(known.ReadAt) < MaxAge)
                return known;
            return _ring = await ReadAsync(known, cancellationToken);
        }
        finally
        {
            _loading.Release();
        }
    }

    private async Task<Ring> ReadAsync(Ring? known, CancellationToken cancellationToken)
    {
        string text;
        try
        {
            text = (await dapr.GetSecretAsync(Store, Secret, cancellationToken: cancellationToken))[Secret];
        }
        catch (DaprException e) when (known is not null)
        {
            LogKept(logger, e.Message);
            return known with { ReadAt = time.GetTimestamp() };
        }
        if (text == known?.Secret)
            return known with { ReadAt = time.GetTimestamp() };
        var signers = text.Split(EndOfKey, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(pem => new JwtSigner(pem + "\n" + EndOfKey, options, time)).ToList();
        if (signers.Count == 0)
            throw new InvalidOperationException($"The secret {Secret} holds no key.");
        var ring = new Ring(signers[0], [.. signers.Select(s => s.PublicKey)], text, time.GetTimestamp());
        // The signer before may be signing at this moment, so it is left to the collector.
        foreach (var other in signers.Skip(1))
            other.Dispose();
        LogRead(logger, ring.PublicKeys.Count, ring.Signer.PublicKey.KeyId);
        return ring;
    }

    private sealed record Ring(JwtSigner Signer, IReadOnlyList<Jwk> PublicKeys, string Secret, long ReadAt);

    [LoggerMessage(1, LogLevel.Information, "Access tokens: {Count} keys, signed with {KeyId}")]
    private static partial void LogRead(ILogger logger, int count, string keyId);

    [LoggerMessage(2, LogLevel.Warning, "The signing keys could not be read again and stay as they are: {Reason}")]
    private static partial void LogKept(ILogger logger, string reason);
}
