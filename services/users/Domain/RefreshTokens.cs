using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Dapr.Client;

namespace DaprPlatform.Users.Domain;

/// <summary>
/// Refresh tokens, in Dapr state with a time to live. Those that come of one sign-in are a family: only its newest is good, and presenting an older one
/// means that somebody copied it, so the whole family ends. A browser may ask for leniency: it may leave a page before it sees the answer, or ask in two tabs at once, each by
/// another replica of the gateway. For a moment it gets the newest token for one that was just replaced, which is made of the replaced one and kept nowhere.
/// </summary>
internal sealed class RefreshTokens(DaprClient dapr, AccountOptions options, TimeProvider time)
{
    private const string Store = "statestore";
    private const int SecretLength = 32;
    private const int MostReplaced = 16;
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(10);

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
    /// <param name="lenient">A token that was replaced within the last ten seconds gives the newest again.</param>
    public async Task<(RefreshFamily Family, string Token)?> RotateAsync(string token, bool lenient, CancellationToken cancellationToken)
    {
        if (!TryParse(token, out var id, out var secret))
            return null;
        while (true)
        {
            var (family, etag) = await dapr.GetStateAndETagAsync<RefreshFamily?>(Store, KeyOf(id), ConsistencyMode.Strong, cancellationToken: cancellationToken);
            var now = time.GetUtcNow();
            if (family is null || now >= family.ExpiresAt)
                return null;
            if (!IsCurrent(family, secret))
            {
                if (lenient && NewestAfter(family, secret, now) is { } newest)
                    return (family, Format(id, newest));
                await dapr.DeleteStateAsync(Store, KeyOf(id), cancellationToken: cancellationToken);
                return null;
            }
            var salt = RandomNumberGenerator.GetBytes(SecretLength);
            var next = HMACSHA256.HashData(secret, salt);
            // Only what leniency has replaced is remembered: the token of a strict caller is good once.
            var replaced = new Replaced(family.SecretHash, Base64Url.EncodeToString(salt), now);
            var rotated = family with { SecretHash = HashOf(next), Replaced = lenient ? [.. Recent(family, now).TakeLast(MostReplaced - 1), replaced] : null };
            var options = new StateOptions { Concurrency = ConcurrencyMode.FirstWrite, Consistency = ConsistencyMode.Strong };
            if (await dapr.TrySaveStateAsync(Store, KeyOf(id), rotated, etag, options, Ttl(family, now), cancellationToken))
                return (rotated, Format(id, next));
            // Used twice at the same moment is used twice; to a lenient caller it is the one before the newest now.
            if (lenient)
                continue;
            await dapr.DeleteStateAsync(Store, KeyOf(id), cancellationToken: cancellationToken);
            return null;
        }
    }

    /// <summary>Ends the family and says whose it was; null when the token is not good.</summary>
    public async Task<RefreshFamily?> EndAsync(string token, CancellationToken cancellationToken)
    {
        if (!TryParse(token, out var id, out var secret))
            return null;
        var family = await dapr.GetStateAsync<RefreshFamily?>(Store, KeyOf(id), ConsistencyMode.Strong, cancellationToken: cancellationToken);
        if (family is null || (!IsCurrent(family, secret) && NewestAfter(family, secret, time.GetUtcNow()) is null))
            return null;
        await dapr.DeleteStateAsync(Store, KeyOf(id), cancellationToken: cancellationToken);
        return family;
    }

    private static IEnumerable<Replaced> Recent(RefreshFamily family, DateTimeOffset now) => (family.Replaced ?? []).Where(r => now - r.At < Moment);

    // Each token is made of the one before it: from one that was replaced the way leads on to the newest.
    private static byte[]? NewestAfter(RefreshFamily family, byte[] secret, DateTimeOffset now)
    {
        byte[]? newest = null;
        foreach (var replaced in Recent(family, now))
        {
            if (newest is not null || IsHash(replaced.SecretHash, secret))
                newest = HMACSHA256.HashData(newest ?? secret, Base64Url.DecodeFromChars(replaced.Salt));
        }

        return newest is not null && IsCurrent(family, newest) ? newest : null;
    }

    private static bool IsCurrent(RefreshFamily family, byte[] secret) => IsHash(family.SecretHash, secret);

    private static bool IsHash(string hash, byte[] secret) => CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(hash), Encoding.ASCII.GetBytes(HashOf(secret)));

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
/// <param name="Replaced">What was replaced for a lenient caller not long ago, the newest last.</param>
internal sealed record RefreshFamily(Guid UserId, string SecretHash, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, IReadOnlyList<Replaced>? Replaced = null);

/// <param name="SecretHash">As the family's.</param>
/// <param name="Salt">With the secret itself it makes the secret of the next token.</param>
internal sealed record Replaced(string SecretHash, string Salt, DateTimeOffset At);
