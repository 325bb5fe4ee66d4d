using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace DaprPlatform.ServiceDefaults.Auth;

/// <summary>The public keys by which tokens are verified.</summary>
public interface IVerificationKeys
{
    /// <summary>Null when no such key is known, after having asked for the newest set.</summary>
    ValueTask<Jwk?> FindAsync(string keyId, CancellationToken cancellationToken);
}

/// <summary>Verifies ES256 access tokens: that algorithm and no other, a known key, issuer, audience and time. Thread-safe.</summary>
/// <remarks>A token that was verified once is remembered until it expires, so that a busy caller costs one signature check per token.</remarks>
public sealed class JwtVerifier(JwtOptions options, IVerificationKeys keys, TimeProvider time)
{
    /// <summary>Of <see cref="ClaimTypes.Role"/> and <c>sub</c>.</summary>
    public const string AuthenticationType = "Bearer";

    private const int MaxTokenLength = 4096;
    private const int MaxRemembered = 10_000;
    private const int SignatureLength = 64;
    private readonly ConcurrentDictionary<string, Verified> _verified = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ConcurrentBag<ECDsa>> _verifiers = new(StringComparer.Ordinal);

    /// <summary>The caller, or null with the reason for the log; the reason is not for the caller.</summary>
    public async ValueTask<(ClaimsPrincipal? Principal, string? Reason)> VerifyAsync(string token, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (_verified.TryGetValue(token, out var known))
        {
            if (now < known.ExpiresAt)
                return (known.Principal, null);
            _verified.TryRemove(token, out _);
            return (null, "expired");
        }
        if (token.Length > MaxTokenLength)
            return (null, "too long");
        var firstDot = token.IndexOf('.');
        var secondDot = firstDot < 0 ? -1 : token.IndexOf('.', firstDot + 1);
        if (secondDot < 0 || token.IndexOf('.', secondDot + 1) >= 0)
            return (null, "not three parts");
        if (!TryDecode(token.AsSpan(0, firstDot), out var header) || !TryDecode(token.AsSpan(firstDot + 1, secondDot - firstDot - 1), out var payload)
            || !TryDecode(token.AsSpan(secondDot + 1), out var signature))
            return (null, "not base64url");
        if (ReadKeyId(header) is not { } keyId)
            return (null, "header is not that of an ES256 token with a key id");
        if (signature.Length != SignatureLength)
            return (null, "signature is not 64 bytes");
        if (await keys.FindAsync(keyId, cancellationToken) is not { } key)
            return (null, "unknown key");
        if (!VerifySignature(key, token.AsSpan(0, secondDot), signature))
            return (null, "wrong signature");
        var (principal, expiresAt, reason) = ReadClaims(payload, now);
        if (principal is null)
            return (null, reason);
        if (_verified.Count >= MaxRemembered)
            _verified.Clear();
        _verified[token] = new Verified(principal, expiresAt);
        return (principal, null);
    }

    private static string? ReadKeyId(byte[] header)
    {
        try
        {
            using var document = JsonDocument.Parse(header);
            var root = document.RootElement;
            // Extensions marked critical must be understood, and none is.
            if (root.ValueKind != JsonValueKind.Object || root.TryGetProperty("crit", out _))
                return null;
            return root.TryGetProperty("alg", out var alg) && alg.ValueKind == JsonValueKind.String && alg.ValueEquals("ES256")
                && root.TryGetProperty("kid", out var kid) && kid.ValueKind == JsonValueKind.String
                    ? kid.GetString()
                    : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private bool VerifySignature(Jwk key, ReadOnlySpan<char> signed, byte[] signature)
    {
        Span<byte> bytes = stackalloc byte[MaxTokenLength];
        var length = Encoding.ASCII.GetBytes(signed, bytes);
        // An ECDsa object is not for several threads at once.
        var pool = _verifiers.GetOrAdd(key.KeyId, static _ => []);
        if (!pool.TryTake(out var verifier))
            verifier = key.CreateVerifier();
        try
        {
            return verifier.VerifyData(bytes[..length], signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }
        finally
        {
            pool.Add(verifier);
        }
    }

    private (ClaimsPrincipal? Principal, DateTimeOffset ExpiresAt, string? Reason) ReadClaims(byte[] payload, DateTimeOffset now)
    {
        try
        {
            using var document = JsonDocument.Parse(payload);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return (null, default, "payload is not an object");
            if (!root.TryGetProperty("iss", out var issuer) || issuer.ValueKind != JsonValueKind.String || !issuer.ValueEquals(options.Issuer))
                return (null, default, "wrong issuer");
            if (!root.TryGetProperty("aud", out var audience) || !IsAudience(audience))
                return (null, default, "wrong audience");
            if (!root.TryGetProperty("exp", out var exp) || !exp.TryGetInt64(out var expires) || !IsInstant(expires))
                return (null, default, "no expiry");
            var expiresAt = DateTimeOffset.FromUnixTimeSeconds(expires) + options.ClockSkew;
            if (now >= expiresAt)
                return (null, default, "expired");
            if (!root.TryGetProperty("nbf", out var nbf) || !nbf.TryGetInt64(out var notBefore) || !IsInstant(notBefore)
                || now + options.ClockSkew < DateTimeOffset.FromUnixTimeSeconds(notBefore))
                return (null, default, "not valid yet");
            if (!root.TryGetProperty("sub", out var sub) || sub.ValueKind != JsonValueKind.String || sub.GetString() is not { Length: > 0 } subject)
                return (null, default, "no subject");
            var claims = new List<Claim> { new("sub", subject) };
            if (root.TryGetProperty("roles", out var roles))
                foreach (var role in roles.EnumerateArray())
                    claims.Add(new Claim(ClaimTypes.Role, role.GetString()!));
            return (new ClaimsPrincipal(new ClaimsIdentity(claims, AuthenticationType, "sub", ClaimTypes.Role)), expiresAt, null);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or ArgumentNullException)
        {
            return (null, default, "payload is not a claims set");
        }
    }

    private bool IsAudience(JsonElement audience) => audience.ValueKind switch
    {
        JsonValueKind.String => audience.ValueEquals(options.Audience),
        JsonValueKind.Array => audience.EnumerateArray().Any(a => a.ValueKind == JsonValueKind.String && a.ValueEquals(options.Audience)),
        _ => false,
    };

    // Within what DateTimeOffset can hold, with room for the skew.
    private static bool IsInstant(long seconds) => seconds is > 0 and < 253_402_000_000;

    private static bool TryDecode(ReadOnlySpan<char> text, out byte[] bytes)
    {
        // Padding and white space are not allowed in a JWS.
        bytes = [];
        if (text.ContainsAny("= \t\r\n") || !Base64Url.IsValid(text))
            return false;
        bytes = Base64Url.DecodeFromChars(text);
        return true;
    }

    private sealed record Verified(ClaimsPrincipal Principal, DateTimeOffset ExpiresAt);
}
