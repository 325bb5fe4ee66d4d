using System.Diagnostics.CodeAnalysis;

namespace Dapr.Client;

/// <summary>How the key of the data is wrapped by the key of the vault.</summary>
[Experimental("DAPR_CRYPTOGRAPHY")]
public enum KeyWrapAlgorithm
{
    /// <summary>The default for AES keys.</summary>
    Aes,

    /// <summary>AES key wrap with a key of 256 bits.</summary>
    A256kw,

    /// <summary>AES-CBC, 128 bits.</summary>
    A128cbc,

    /// <summary>AES-CBC, 192 bits.</summary>
    A192cbc,

    /// <summary>AES-CBC, 256 bits.</summary>
    A256cbc,

    /// <summary>RSA-OAEP with SHA-256.</summary>
    RsaOaep256,

    /// <summary>The default for RSA keys.</summary>
    Rsa,
}

/// <summary>How the data is encrypted.</summary>
[Experimental("DAPR_CRYPTOGRAPHY")]
public enum DataEncryptionCipher
{
    /// <summary>AES-GCM.</summary>
    AesGcm,

    /// <summary>ChaCha20-Poly1305.</summary>
    ChaCha20Poly1305,
}

/// <summary>How to encrypt.</summary>
[Experimental("DAPR_CRYPTOGRAPHY")]
public sealed class EncryptionOptions(KeyWrapAlgorithm keyWrapAlgorithm)
{
    /// <summary>How the key of the data is wrapped.</summary>
    public KeyWrapAlgorithm KeyWrapAlgorithm { get; set; } = keyWrapAlgorithm;

    /// <summary>Bytes sent in a message.</summary>
    public int StreamingBlockSizeInBytes
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value);
            field = value;
        }
    } = 4 * 1024;

    /// <summary>The key that decrypts, if not the one that encrypts.</summary>
    public string? DecryptionKeyName { get; set; }

    /// <summary>How the data is encrypted.</summary>
    public DataEncryptionCipher EncryptionCipher { get; set; } = DataEncryptionCipher.AesGcm;
}

/// <summary>How to decrypt.</summary>
[Experimental("DAPR_CRYPTOGRAPHY")]
public sealed class DecryptionOptions
{
    /// <summary>Bytes sent in a message.</summary>
    public int StreamingBlockSizeInBytes
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value);
            field = value;
        }
    } = 4 * 1024;
}
