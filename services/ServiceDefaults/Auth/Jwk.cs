using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace DaprPlatform.ServiceDefaults.Auth;

/// <summary>The public half of an ECDSA P-256 key, identified by its RFC 7638 thumbprint.</summary>
public sealed record Jwk(string KeyId, byte[] X, byte[] Y)
{
    private const int CoordinateLength = 32;

    public static Jwk FromKey(ECDsa key)
    {
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return Create(point.X!, point.Y!);
    }

    public ECDsa CreateVerifier() =>
        ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = X, Y = Y } });

    /// <summary>A JWK set (RFC 7517) of signature keys.</summary>
    public static string WriteSet(IEnumerable<Jwk> keys)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("keys");
            foreach (var key in keys)
            {
                writer.WriteStartObject();
                writer.WriteString("kty", "EC");
                writer.WriteString("crv", "P-256");
                writer.WriteString("use", "sig");
                writer.WriteString("alg", "ES256");
                writer.WriteString("kid", key.KeyId);
                writer.WriteString("x", Base64Url.EncodeToString(key.X));
                writer.WriteString("y", Base64Url.EncodeToString(key.Y));
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    /// <summary>The P-256 signature keys of a set; keys of other kinds are left out, as RFC 7517 §5 asks.</summary>
    /// <exception cref="FormatException">Not a JWK set.</exception>
    public static IReadOnlyList<Jwk> ReadSet(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var keys = new List<Jwk>();
            foreach (var element in document.RootElement.GetProperty("keys").EnumerateArray())
            {
                if (Text(element, "kty") != "EC" || Text(element, "crv") != "P-256" || Text(element, "use") is not ("sig" or null) || Text(element, "alg") is not ("ES256" or null))
                    continue;
                var key = Create(Base64Url.DecodeFromChars(Text(element, "x")), Base64Url.DecodeFromChars(Text(element, "y")));
                keys.Add(Text(element, "kid") is { } kid ? key with { KeyId = kid } : key);
            }
            return keys;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            throw new FormatException("Not a JWK set.", e);
        }
    }

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static Jwk Create(byte[] x, byte[] y)
    {
        if (x.Length != CoordinateLength || y.Length != CoordinateLength)
            throw new FormatException("Not a P-256 key.");
        var canonical = $$"""{"crv":"P-256","kty":"EC","x":"{{Base64Url.EncodeToString(x)}}","y":"{{Base64Url.EncodeToString(y)}}"}""";
        return new Jwk(Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(canonical))), x, y);
    }
}
