using Dapr.Client;
using DaprPlatform.ServiceDefaults.Auth;

namespace DaprPlatform.Users.Domain;

/// <summary>The key that signs access tokens, from the secret store. Read once, when it is first needed.</summary>
internal sealed class SigningKeys(DaprClient dapr, JwtOptions options, TimeProvider time) : IVerificationKeys, IDisposable
{
    private const string Store = "secretstore";
    private const string Secret = "jwt-signing-key";
    private readonly SemaphoreSlim _loading = new(1, 1);
    private volatile JwtSigner? _signer;

    public async ValueTask<JwtSigner> GetAsync(CancellationToken cancellationToken)
    {
        if (_signer is { } signer)
            return signer;
        await _loading.WaitAsync(cancellationToken);
        try
        {
            if (_signer is null)
            {
                var secret = await dapr.GetSecretAsync(Store, Secret, cancellationToken: cancellationToken);
                _signer = new JwtSigner(secret[Secret], options, time);
            }
            return _signer;
        }
        finally
        {
            _loading.Release();
        }
    }

    public async ValueTask<Jwk?> FindAsync(string keyId, CancellationToken cancellationToken)
    {
        var key = (await GetAsync(cancellationToken)).PublicKey;
        return key.KeyId == keyId ? key : null;
    }

    public void Dispose()
    {
        _signer?.Dispose();
        _loading.Dispose();
    }
}
