using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace DaprPlatform.Sidecar.Middleware;

/// <summary>
/// Verifies JSON web tokens (RFC 7519) against the keys that an issuer publishes by OpenID Connect discovery. Keys are fetched at the first token and again,
/// not more often than every few seconds, when one names a key that is not known. Thread-safe.
/// </summary>
internal sealed class JwtVerifier(string issuer, string audience, string? jwksUrl, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan RefreshPause = TimeSpan.FromSeconds(5);
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, ActivityHeadersPropagator = null }) { Timeout = TimeSpan.FromSeconds(10) };
    private readonly SemaphoreSlim _refreshing = new(1);
    private IReadOnlyList<Key> _keys = [];
    private long? _fetched;

    /// <exception cref="JwtException">The token is not valid, or the keys cannot be had.</exception>
    public async Task VerifyAsync(string token, CancellationToken cancellationToken)
    {
        var parts = token.Split('.');
        if (parts.Length != 3)
            throw new JwtException("it is no signed token");
        using var header = Parse(parts[0]);
        using var claims = Parse(parts[1]);
        var algorithm = Text(header, "alg") ?? "";
        var keyId = Text(header, "kid");
        var signed = Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}");
        var signature = Decode(parts[2]);
        CheckClaims(claims);
        if (!Verifies(await KeysAsync(keyId, cancellationToken).ConfigureAwait(false), algorithm, keyId, signed, signature))
            throw new JwtException("its signature is not of a key of the issuer");
    }

    public void Dispose()
    {
        _http.Dispose();
        _refreshing.Dispose();
    }

    private void CheckClaims(JsonDocument claims)
    {
        if (Text(claims, "iss") != issuer)
            throw new JwtException("it is of another issuer");
        if (!claims.RootElement.TryGetProperty("aud", out var aud) || !(aud.ValueKind == JsonValueKind.Array
            ? aud.EnumerateArray().Any(a => a.ValueKind == JsonValueKind.String && a.GetString() == audience)
            : aud.ValueKind == JsonValueKind.String && aud.GetString() == audience))
            throw new JwtException("it is for another audience");
        var now = time.GetUtcNow();
        if (Time(claims, "exp") is { } expires && now - Skew >= expires)
            throw new JwtException("it has expired");
        if (Time(claims, "nbf") is { } begins && now + Skew < begins)
            throw new JwtException("it is not valid yet");
        if (Time(claims, "iat") is { } issued && now + Skew < issued)
            throw new JwtException("it is issued in the future");
    }

    private async Task<IReadOnlyList<Key>> KeysAsync(string? keyId, CancellationToken cancellationToken)
    {
        if (Known(keyId))
            return _keys;
        await _refreshing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Known(keyId) || (_fetched is { } last && time.GetElapsedTime(last) < RefreshPause))
                return _keys;
            var url = jwksUrl;
            if (string.IsNullOrEmpty(url))
            {
                using var configuration = JsonDocument.Parse(await _http.GetByteArrayAsync(new Uri(issuer.TrimEnd('/') + "/.well-known/openid-configuration"), cancellationToken).ConfigureAwait(false));
                url = Text(configuration, "jwks_uri") ?? throw new JwtException("the issuer names no keys");
            }

            using var keys = JsonDocument.Parse(await _http.GetByteArrayAsync(new Uri(url), cancellationToken).ConfigureAwait(false));
            _keys = [.. keys.RootElement.GetProperty("keys").EnumerateArray().Select(Key.Parse).OfType<Key>()];
            _fetched = time.GetTimestamp();
            return _keys;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or InvalidOperationException or UriFormatException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new JwtException($"the keys of {issuer} cannot be read: {e.Message}");
        }
        finally
        {
            _refreshing.Release();
        }
    }

    private bool Known(string? keyId) => _fetched is not null && (keyId is null || _keys.Any(k => k.Id == keyId));

    private static bool Verifies(IReadOnlyList<Key> keys, string algorithm, string? keyId, byte[] signed, byte[] signature) =>
        keys.Any(k => (keyId is null || k.Id == keyId) && k.Verifies(algorithm, signed, signature));

    private static JsonDocument Parse(string part)
    {
        try
        {
            return JsonDocument.Parse(Decode(part));
        }
        catch (JsonException)
        {
            throw new JwtException("it is malformed");
        }
    }

    private static byte[] Decode(string part)
    {
        try
        {
            return Base64Url.DecodeFromChars(part);
        }
        catch (FormatException)
        {
            throw new JwtException("it is malformed");
        }
    }

    private static string? Text(JsonDocument json, string name) =>
        json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static DateTimeOffset? Time(JsonDocument json, string name)
    {
        if (!json.RootElement.TryGetProperty(name, out var value))
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var seconds) && Math.Abs(seconds) < 1e11 ? DateTimeOffset.UnixEpoch.AddSeconds(seconds) : throw new JwtException($"{name} is no time");
    }

    /// <summary>A public key of the issuer; its type decides which algorithms it is for, never the token alone.</summary>
    private sealed record Key(string? Id, RSA? Rsa, ECDsa? Curve, int CurveBits)
    {
        public static Key? Parse(JsonElement json)
        {
            string? Member(string name) => json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

            if (Member("use") is not (null or "sig"))
                return null;
            try
            {
                switch (Member("kty"))
                {
                    case "RSA" when Member("n") is { } n && Member("e") is { } e:
                        return new Key(Member("kid"), RSA.Create(new RSAParameters { Modulus = Base64Url.DecodeFromChars(n), Exponent = Base64Url.DecodeFromChars(e) }), null, 0);
                    case "EC" when Member("x") is { } x && Member("y") is { } y:
                        var (curve, bits) = Member("crv") switch
                        {
                            "P-256" => (ECCurve.NamedCurves.nistP256, 256),
                            "P-384" => (ECCurve.NamedCurves.nistP384, 384),
                            "P-521" => (ECCurve.NamedCurves.nistP521, 521),
                            _ => throw new CryptographicException("unknown curve"),
                        };
                        return new Key(Member("kid"), null, ECDsa.Create(new ECParameters { Curve = curve, Q = { X = Base64Url.DecodeFromChars(x), Y = Base64Url.DecodeFromChars(y) } }), bits);
                    default:
                        return null;
                }
            }
            catch (Exception e) when (e is CryptographicException or FormatException)
            {
                return null;
            }
        }

        public bool Verifies(string algorithm, byte[] signed, byte[] signature)
        {
            if (algorithm is not [_, _, _, ..] || HashOf(algorithm[2..]) is not { } hash)
                return false;
            return algorithm[..2] switch
            {
                "RS" => Rsa?.VerifyData(signed, signature, hash, RSASignaturePadding.Pkcs1) == true,
                "PS" => Rsa?.VerifyData(signed, signature, hash, RSASignaturePadding.Pss) == true,
                "ES" => Curve is not null && CurveBits == (algorithm == "ES512" ? 521 : int.Parse(algorithm[2..], System.Globalization.CultureInfo.InvariantCulture)) && Curve.VerifyData(signed, signature, hash),
                _ => false,
            };
        }

        private static HashAlgorithmName? HashOf(string bits) => bits switch
        {
            "256" => HashAlgorithmName.SHA256,
            "384" => HashAlgorithmName.SHA384,
            "512" => HashAlgorithmName.SHA512,
            _ => null,
        };
    }
}

/// <summary>A token is not accepted; the message says why.</summary>
internal sealed class JwtException(string message) : Exception(message);
