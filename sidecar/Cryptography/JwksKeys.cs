using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Cryptography;

/// <summary>
/// <c>crypto.dapr.jwks</c>: the keys of a JSON Web Key Set by their <c>kid</c>. The set is given as JSON, as base64 of it, as a file, or by an https address that is
/// asked again when a key is not known, at most once in minRefreshInterval (https://docs.dapr.io/reference/components-reference/supported-cryptography/json-web-key-sets/).
/// </summary>
internal sealed class JwksKeys(ComponentSpec spec) : ICryptoProvider
{
    private readonly SemaphoreSlim _refreshing = new(1);
    private Dictionary<string, CryptoKey> _keys = [];
    private HttpClient? _http;
    private Uri? _address;
    private TimeSpan _minRefresh;
    private DateTimeOffset _refreshed;

    public IReadOnlyList<string> Capabilities => [];

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        var source = spec.Required("jwks").Trim();
        try
        {
            if (Uri.TryCreate(source, UriKind.Absolute, out var address) && address.Scheme is "http" or "https")
            {
                _address = address;
                _minRefresh = Time("minRefreshInterval", TimeSpan.FromMinutes(10));
                _http = new HttpClient { Timeout = Time("requestTimeout", TimeSpan.FromSeconds(30)) };
                await RefreshAsync(cancellationToken).ConfigureAwait(false);
                return;
            }

            _keys = Read(source.StartsWith('{') ? Encoding.UTF8.GetBytes(source)
                : File.Exists(source) ? await File.ReadAllBytesAsync(source, cancellationToken).ConfigureAwait(false)
                : Convert.FromBase64String(source));
        }
        catch (Exception e) when (e is FormatException or JsonException or IOException or CryptoException or HttpRequestException or KeyNotFoundException or InvalidOperationException)
        {
            throw new ComponentException($"failed to get JWKS from {(source.StartsWith('{') ? "the metadata" : source)}: {e.Message}", e);
        }
    }

    public async ValueTask<CryptoKey> KeyAsync(string name, CancellationToken cancellationToken)
    {
        if (_keys.TryGetValue(name, out var key))
            return key;
        if (_address is not null)
        {
            await _refreshing.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (!_keys.ContainsKey(name) && spec.Time.GetUtcNow() - _refreshed >= _minRefresh)
                    await RefreshAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is HttpRequestException or JsonException or CryptoException or KeyNotFoundException or InvalidOperationException)
            {
                throw new CryptoException($"failed to refresh the key set: {e.Message}", e);
            }
            finally
            {
                _refreshing.Release();
            }
        }

        return _keys.TryGetValue(name, out key) ? key : throw new CryptoException("key not found");
    }

    public ValueTask DisposeAsync()
    {
        _http?.Dispose();
        _refreshing.Dispose();
        return ValueTask.CompletedTask;
    }

    private static Dictionary<string, CryptoKey> Read(byte[] json)
    {
        using var document = JsonDocument.Parse(json);
        var keys = new Dictionary<string, CryptoKey>(StringComparer.Ordinal);
        foreach (var jwk in document.RootElement.GetProperty("keys").EnumerateArray())
        {
            if (jwk.TryGetProperty("kid", out var kid) && kid.GetString() is { Length: > 0 } name)
                keys[name] = CryptoKey.FromJwk(jwk);
        }

        return keys;
    }

    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        _keys = Read(await _http!.GetByteArrayAsync(_address, cancellationToken).ConfigureAwait(false));
        _refreshed = spec.Time.GetUtcNow();
    }

    private TimeSpan Time(string name, TimeSpan unset) => spec.Value(name) switch
    {
        null or "" => unset,
        var text => Durations.TryParseGo(text, out var time) ? time : throw new ComponentException($"invalid value for '{name}': {text}"),
    };
}
