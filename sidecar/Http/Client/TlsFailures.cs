namespace DaprPlatform.Sidecar.Http.Client;

/// <summary>Why a TLS connection did not come about or was ended, in Go's words, which daprd's users know.</summary>
internal static class TlsFailures
{
    // What OpenSSL calls an alert of the other side, and what Go does.
    private static readonly (string Alert, string Words)[] Alerts =
    [
        ("alert unknown ca", "unknown certificate authority"),
        ("alert bad certificate", "bad certificate"),
        ("alert certificate required", "certificate required"),
        ("alert certificate expired", "expired certificate"),
        ("alert certificate revoked", "revoked certificate"),
        ("alert certificate unknown", "unknown certificate"),
        ("alert unsupported certificate", "unsupported certificate"),
        ("alert handshake failure", "handshake failure"),
        ("alert protocol version", "protocol version not supported"),
        ("alert access denied", "access denied"),
        ("alert internal error", "internal error"),
        ("unrecognized name", "unrecognized name"),
    ];

    // What .NET says of a certificate or of bytes that it does not take.
    private static readonly (string Part, string Words)[] Own =
    [
        ("UntrustedRoot", "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
        ("PartialChain", "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
        ("NotSignatureValid", "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
        ("NotTimeValid", "tls: failed to verify certificate: x509: certificate has expired or is not yet valid"),
        ("RemoteCertificateNameMismatch", "tls: failed to verify certificate: x509: certificate is not valid for the name of the host"),
        ("Cannot determine the frame size", "http: server gave HTTP response to HTTPS client"),
    ];

    /// <summary>Null: it has nothing to do with TLS, or there are no words for it.</summary>
    public static string? Words(Exception failure)
    {
        for (var e = failure; e is not null; e = e.InnerException)
        {
            foreach (var (alert, words) in Alerts)
            {
                if (e.Message.Contains(alert, StringComparison.OrdinalIgnoreCase))
                    return "remote error: tls: " + words;
            }

            foreach (var (part, words) in Own)
            {
                if (e.Message.Contains(part, StringComparison.Ordinal))
                    return words;
            }
        }

        return null;
    }
}
