using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace DaprPlatform.ServiceDefaults.Auth;

/// <summary>Issues ES256 access tokens. Thread-safe.</summary>
public sealed class JwtSigner : IDisposable
{
    private readonly ECDsa _key;
    private readonly Lock _lock = new();
    private readonly JwtOptions _options;
    private readonly TimeProvider _time;
    private readonly string _header;

    /// <param name="pem">A PKCS#8 P-256 private key.</param>
    /// <exception cref="CryptographicException">The key is not a P-256 key.</exception>
    public JwtSigner(string pem, JwtOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _key = ECDsa.Create();
        try
        {
            _key.ImportFromPem(pem);
        }
        catch (ArgumentException e)
        {
            throw new CryptographicException("The signing key is not a PEM private key.", e);
        }
        if (_key.KeySize != 256)
            throw new CryptographicException($"The signing key has {_key.KeySize} bits, not 256.");
        PublicKey = Jwk.FromKey(_key);
        _header = Base64Url.EncodeToString(Encoding.ASCII.GetBytes($$"""{"alg":"ES256","kid":"{{PublicKey.KeyId}}","typ":"JWT"}"""));
    }

    public Jwk PublicKey { get; }

    public string Issue(string subject, IEnumerable<string> roles, TimeSpan lifetime)
    {
        var now = _time.GetUtcNow();
        using var stream = new MemoryStream(256);
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteString("iss", _options.Issuer);
            writer.WriteString("aud", _options.Audience);
            writer.WriteString("sub", subject);
            writer.WriteNumber("iat", now.ToUnixTimeSeconds());
            writer.WriteNumber("nbf", now.ToUnixTimeSeconds());
            writer.WriteNumber("exp", (now + lifetime).ToUnixTimeSeconds());
            writer.WriteString("jti", Guid.CreateVersion7(now).ToString("N"));
            writer.WriteStartArray("roles");
            foreach (var role in roles)
                writer.WriteStringValue(role);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        var signed = _header + "." + Base64Url.EncodeToString(stream.GetBuffer().AsSpan(0, (int)stream.Length));
        byte[] signature;
        lock (_lock)
            signature = _key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        return signed + "." + Base64Url.EncodeToString(signature);
    }

    public void Dispose() => _key.Dispose();
}
