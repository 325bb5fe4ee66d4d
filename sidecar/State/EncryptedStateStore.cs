using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Http;

namespace DaprPlatform.Sidecar.State;

/// <summary>
/// Encrypts values before a store gets them (https://docs.dapr.io/developing-applications/building-blocks/state-management/howto-encrypt-state/): AES-GCM, stored as
/// base64 of nonce (12 bytes), ciphertext and tag (16), then <c>||</c> and the name of the secret that holds the key. The primary key writes, both read.
/// </summary>
internal sealed class EncryptedStateStore : IStateStore
{
    private const string PrimaryKey = "primaryEncryptionKey";
    private const string SecondaryKey = "secondaryEncryptionKey";
    private const int NonceSize = 12;
    private const int TagSize = 16;

    private readonly IStateStore _inner;
    private readonly string _storeName;
    private readonly (string Name, byte[] Key) _primary;
    private readonly (string Name, byte[] Key)? _secondary;

    /// <exception cref="ComponentException">A key is none.</exception>
    public EncryptedStateStore(ComponentSpec spec, IStateStore inner)
    {
        _inner = inner;
        _storeName = spec.Name;
        _primary = Key(spec, PrimaryKey);
        _secondary = spec.SecretKeyNames.ContainsKey(SecondaryKey) ? Key(spec, SecondaryKey) : null;
    }

    /// <summary>Keys count only where they come from a secret store.</summary>
    public static bool IsWanted(ComponentSpec spec) => spec.SecretKeyNames.ContainsKey(PrimaryKey);

    public StateFeatures Features => _inner.Features & ~StateFeatures.Query;

    public bool EscapesHtml => false;

    public bool FindsRepeatedKeysOnce => _inner.FindsRepeatedKeysOnce;

    public int? MaxTransactionSize => _inner.MaxTransactionSize;

    public Task InitAsync(CancellationToken cancellationToken) => _inner.InitAsync(cancellationToken);

    public async ValueTask<StateItem?> GetAsync(string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        Decrypt(await _inner.GetAsync(key, consistency, metadata, cancellationToken).ConfigureAwait(false));

    public async ValueTask<IReadOnlyList<StateItem?>> GetManyAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        [.. (await _inner.GetManyAsync(keys, metadata, cancellationToken).ConfigureAwait(false)).Select(Decrypt)];

    public ValueTask WriteAsync(StateWrite write, CancellationToken cancellationToken) => _inner.WriteAsync(Encrypt(write), cancellationToken);

    public ValueTask TransactAsync(IReadOnlyList<StateWrite> writes, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        _inner.TransactAsync([.. writes.Select(Encrypt)], metadata, cancellationToken);

    public ValueTask<IReadOnlyList<string>> KeysAsync(string prefix, string? after, int limit, CancellationToken cancellationToken) => _inner.KeysAsync(prefix, after, limit, cancellationToken);

    public void CheckTransaction(IReadOnlyList<StateWrite> writes) => _inner.CheckTransaction(writes);

    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private static (string Name, byte[] Key) Key(ComponentSpec spec, string name)
    {
        try
        {
            var key = Convert.FromHexString(spec.Value(name) ?? "");
            if (key.Length is not (16 or 24 or 32))
                throw new ComponentException($"{name}: a key has 16, 24 or 32 bytes, not {key.Length}");
            return (spec.SecretKeyNames[name], key);
        }
        catch (FormatException e)
        {
            throw new ComponentException($"{name}: the key is not hexadecimal", e);
        }
    }

    private StateWrite Encrypt(StateWrite write)
    {
        if (write.Kind == StateOperationKind.Delete)
            return write;
        var plain = write.IsBinary ? write.Value.Span : Bare(write.Value.Span);
        Span<byte> sealedBytes = new byte[NonceSize + plain.Length + TagSize];
        RandomNumberGenerator.Fill(sealedBytes[..NonceSize]);
        using (var aes = new AesGcm(_primary.Key, TagSize))
            aes.Encrypt(sealedBytes[..NonceSize], plain, sealedBytes[NonceSize..^TagSize], sealedBytes[^TagSize..]);
        return write with { Value = Encoding.UTF8.GetBytes($"{Convert.ToBase64String(sealedBytes)}{KeyPrefix.Separator}{_primary.Name}"), IsBinary = true };
    }

    // Text that came as a JSON string is encrypted without its quotes.
    private static ReadOnlySpan<byte> Bare(ReadOnlySpan<byte> json)
    {
        if (json is not [(byte)'"', ..])
            return json;
        var reader = new Utf8JsonReader(json);
        reader.Read();
        return Encoding.UTF8.GetBytes(GoJson.Text(ref reader));
    }

    private StateItem? Decrypt(StateItem? item)
    {
        if (item is null || item.Value.IsEmpty)
            return item;
        var stored = item.Value.Span;
        var at = stored.LastIndexOf("||"u8);
        var name = at < 0 ? "" : Encoding.UTF8.GetString(stored[(at + 2)..]);
        if (name.Length == 0)
            throw Unreadable("encryption key name not found on record");
        var key = name == _primary.Name ? _primary.Key : name == _secondary?.Name ? _secondary.Value.Key : throw Unreadable($"encryption key {name} not found");
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(at)];
        if (Base64.DecodeFromUtf8(stored[..at], bytes, out _, out var length) != OperationStatus.Done)
            throw Unreadable("illegal base64 data");
        if (length < NonceSize + TagSize)
            throw Unreadable("the value is too short");
        try
        {
            var plain = new byte[length - NonceSize - TagSize];
            using var aes = new AesGcm(key, TagSize);
            aes.Decrypt(bytes.AsSpan(0, NonceSize), bytes.AsSpan(NonceSize, plain.Length), bytes.AsSpan(length - TagSize, TagSize), plain);
            return item with { Value = plain };
        }
        catch (CryptographicException e)
        {
            throw new StateException("cipher: message authentication failed", e);
        }
    }

    private StateException Unreadable(string reason) => new($"could not decrypt data for state store {_storeName}: {reason}");
}
