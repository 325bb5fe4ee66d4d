using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace DaprPlatform.Webhooks.Domain;

/// <summary>
/// Signatures after the Standard Webhooks specification (https://www.standardwebhooks.com): HMAC-SHA256 over <c>id.timestamp.body</c>. Id and time are signed with
/// the body, so that whoever refuses old times and known ids cannot be fooled by a copy.
/// </summary>
internal static class WebhookSignature
{
    private const string SecretPrefix = "whsec_";
    private const int SecretBytes = 32;

    public static byte[] NewSecret() => RandomNumberGenerator.GetBytes(SecretBytes);

    /// <summary>As the receiver is told it, once.</summary>
    public static string Text(byte[] secret) => SecretPrefix + Convert.ToBase64String(secret);

    /// <summary>The header <c>webhook-signature</c>: one signature for each secret that is good.</summary>
    public static string Sign(string id, DateTimeOffset at, string body, IEnumerable<byte[]> secrets)
    {
        var signed = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{at.ToUnixTimeSeconds()}.{body}"));
        return string.Join(' ', secrets.Select(secret => "v1," + Convert.ToBase64String(HMACSHA256.HashData(secret, signed))));
    }
}
