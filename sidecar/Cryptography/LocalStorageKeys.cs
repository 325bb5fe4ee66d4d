using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Cryptography;

/// <summary><c>crypto.dapr.localstorage</c>: the keys are files of a folder, by name (https://docs.dapr.io/reference/components-reference/supported-cryptography/local-storage/).</summary>
internal sealed class LocalStorageKeys(ComponentSpec spec) : ICryptoProvider
{
    private string _folder = "";

    public IReadOnlyList<string> Capabilities => [];

    public Task InitAsync(CancellationToken cancellationToken)
    {
        _folder = Path.GetFullPath(spec.Required("path"));
        return Directory.Exists(_folder) ? Task.CompletedTask : throw new ComponentException($"property 'path' is invalid: {_folder} is no folder");
    }

    public async ValueTask<CryptoKey> KeyAsync(string name, CancellationToken cancellationToken)
    {
        if (name.Contains("..", StringComparison.Ordinal))
            throw new CryptoException("invalid key path: cannot contain '..'");
        var file = Path.GetFullPath(Path.Combine(_folder, name.TrimStart('/', '\\')));
        if (!file.StartsWith(_folder + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new CryptoException("invalid key path: it is outside the folder");
        try
        {
            return CryptoKey.Parse(await File.ReadAllBytesAsync(file, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CryptoException($"failed to load key '{name}': open {file}: no such file or directory", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CryptoException($"failed to load key '{name}': {e.Message}", e);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
