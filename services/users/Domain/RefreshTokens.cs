using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Dapr.Client;

namespace DaprPlatform.Users.Domain;

/// <summary>
/// Refresh tokens, in Dapr state with a time to live. Those that come of one sign-in are a family: only its newest is good, and presenting an older one
/// means that somebody copied it, so the whole family ends.
/// </summary>
internal sealed class RefreshTokens(DaprClient dapr, AccountOptions options, TimeProvider time)
{
    private const string Store = "statestore";
    private const int SecretLength = 32;

    public async Task<string> StartFamilyAsync(Guid userId, CancellationToken cancellationToken)
    {
        var id = Guid.NewGuid();
        var secret = RandomNumberGenerator.GetBytes(SecretLength);
        var now = time.GetUtcNow();
        var family = new RefreshFamily(userId, HashOf(secret), now, now + options.RefreshTokenLifetime);
        await dapr.SaveStateAsync(Store, KeyOf(id), family, metadata: Ttl(family, now), cancellationToken: cancellationToken);
        return Format(id, secret);
    }

    /// <summary>The next token of the family and whose it is, or null when the token is not good.</summary>
    public async Task<(RefreshFamily Family, string Token)?> RotateAsync(string token, CancellationToken cancellationToken)
    {
        if (!TryParse(token, out var id, out var secret))
            return null;
        var (family, etag) = await dapr.GetStateAndETagAsync<RefreshFamily?>(Store, KeyOf(id), ConsistencyMode.Strong, cancellationToken: cancellationToken);
        var now = time.GetUtcNow();
        if (family is null || now >= family.ExpiresAt)
            return null;
        if (!IsCurrent(family, secret))
        {
            await dapr.DeleteStateAsync(Store, KeyOf(id), cancellationToken: cancellationToken);
            return null;
        }
        var next = RandomNumberGenerator.GetBytes(SecretLength);
        var rotated = family with { SecretHash = HashOf(next) };
        var options = new StateOptions { Concurrency = ConcurrencyMode.FirstWrite, Consistency = ConsistencyMode.Strong };
        if (await dapr.TrySaveStateAsync(Store, KeyOf(id), rotated, etag, options, Ttl(family, now), cancellationToken))
            return (rotated, Format(id, next));
        // Used twice at the same moment is used twice.
        await dapr.DeleteStateAsync(Store, KeyOf(id), cancellationToken: cancellationToken);
        return null;
    }

    /// <summary>Ends the family and says whose it was; null when the token is not good.</summary>
    public async Task<RefreshFamily?> EndAsync(string token, CancellationToken cancellationToken)
    {
        if (!TryParse(token, out var id, out var secret))
            return null;
        var family = await dapr.GetStateAsync<RefreshFamily?>(Store, KeyOf(id), ConsistencyMode.Strong, cancellationToken: cancellationToken);
        if (family is null || !IsCurrent(family, secret))
            return null;
        await dapr.DeleteStateAsync(Store, KeyOf(id), cancellationToken: cancellationToken);
        return family;
    }

    private static bool IsCurrent(RefreshFamily family, byte[] secret) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(family.SecretHash), Encoding.ASCII.GetBytes(HashOf(secret)));

    private static string HashOf(byte[] secret) => Base64Url.EncodeToString(SHA256.HashData(secret));

    private static string KeyOf(Guid id) => "refresh-" + id.ToString("N");

    private static string Format(Guid id, byte[] secret) => id.ToString("N") + "." + Base64Url.EncodeToString(secret);

    private static bool TryParse(string token, out Guid id, out byte[] secret)
    {
        secret = [];
        id = default;
        var dot = token.IndexOf('.');
        if (dot != 32 || token.Length > 128 || !Guid.TryParseExact(token.AsSpan(0, dot), "N", out id) || !Base64Url.IsValid(token.AsSpan(dot + 1)))
            return false;
        secret = Base64Url.DecodeFromChars(token.AsSpan(dot + 1));
        return secret.Length == SecretLength;
    }

    private static Dictionary<string, string> Ttl(RefreshFamily family, DateTimeOffset now) =>
        new() { ["ttlInSeconds"] = Math.Max(1, (long)(family.ExpiresAt - now).TotalSeconds).ToString(CultureInfo.InvariantCulture) };
}

/// <param name="SecretHash">SHA-256 of the only good token's secret: the store is of no use to a thief.</param>
internal sealed record RefreshFamily(Guid UserId, string SecretHash, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt);
