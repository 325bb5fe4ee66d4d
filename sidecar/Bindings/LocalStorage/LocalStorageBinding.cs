using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Bindings.LocalStorage;

/// <summary>
/// <c>bindings.localstorage</c>: files below a folder. Names are taken as paths below it, whatever they look like: nothing outside can be reached.
/// </summary>
internal sealed class LocalStorageBinding(ComponentSpec spec) : IOutputBinding
{
    private static readonly string[] Forbidden = ["/proc", "/sys", "/boot", "/dev"];
    private string _root = "";

    public IReadOnlyList<string> Operations { get; } = ["create", "get", "list", "delete"];

    public IReadOnlyList<string> Capabilities { get; } = BindingDirection.IsOutput(spec) ? ["OUTPUT_BINDING"] : [];

    public Task InitAsync(CancellationToken cancellationToken)
    {
        if (spec.Value("rootPath") is not { Length: > 0 } root)
            throw new ComponentException("property rootPath must not be empty");
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        if (Forbidden.Any(f => _root == f || _root.StartsWith(f + "/", StringComparison.Ordinal)))
            throw new ComponentException($"rootPath {root} is not allowed");
        try
        {
            Directory.CreateDirectory(_root);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ComponentException($"unable to create directory specified by 'rootPath' {root}: {e.Message}", e);
        }

        return Task.CompletedTask;
    }

    public async ValueTask<BindingResponse?> InvokeAsync(BindingRequest request, CancellationToken cancellationToken)
    {
        var name = request.Metadata.GetValueOrDefault("fileName");
        try
        {
            return request.Operation switch
            {
                "create" => await CreateAsync(name, request.Data, cancellationToken).ConfigureAwait(false),
                "get" => await GetAsync(PathOf(name ?? ""), cancellationToken).ConfigureAwait(false),
                "list" => List(PathOf(name ?? "")),
                _ => Delete(PathOf(name ?? "")),
            };
        }
        catch (UnauthorizedAccessException e)
        {
            throw new BindingException($"permission denied: {e.Message}", inner: e);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async ValueTask<BindingResponse> CreateAsync(string? name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        var path = PathOf(name is { Length: > 0 } ? name : Guid.NewGuid().ToString());
        if (path == _root)
            throw new BindingException($"error writing file {path}: is a directory");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, Content(data), cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw new BindingException($"error writing file {path}: {e.Message}", inner: e);
        }

        var output = new ArrayBufferWriter<byte>(256);
        output.Write("{\"fileName\":"u8);
        Sidecar.Http.GoJson.WriteString(output, Encoding.UTF8.GetBytes(Path.GetRelativePath(_root, path)));
        output.Write("}"u8);
        return new BindingResponse(output.WrittenMemory);
    }

    private static async ValueTask<BindingResponse> GetAsync(string path, CancellationToken cancellationToken)
    {
        if (Directory.Exists(path))
            throw new BindingException($"error reading file {path}: read {path}: is a directory");
        try
        {
            return new BindingResponse(await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BindingException($"file not found: {path}", inner: e);
        }
        catch (IOException e)
        {
            throw new BindingException($"error reading file {path}: {e.Message}", inner: e);
        }
    }

    private static BindingResponse List(string path)
    {
        if (File.Exists(path))
            throw new BindingException($"unable to list files as the file specified is not a directory: {path}");
        if (!Directory.Exists(path))
            throw new BindingException($"error getting stats for path {path}: stat {path}: no such file or directory");
        string[] files = [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        return new BindingResponse(files.Length == 0 ? "null"u8.ToArray() : JsonSerializer.SerializeToUtf8Bytes(files, Sidecar.Http.Json.Options));
    }

    private static BindingResponse? Delete(string path)
    {
        if (Directory.Exists(path))
        {
            if (Directory.EnumerateFileSystemEntries(path).Any())
                throw new BindingException($"error deleting file {path}: remove {path}: directory not empty");
            Directory.Delete(path);
            return null;
        }

        if (!File.Exists(path))
            throw new BindingException($"error deleting file {path}: remove {path}: no such file or directory");
        try
        {
            File.Delete(path);
            return null;
        }
        catch (IOException e)
        {
            throw new BindingException($"error deleting file {path}: {e.Message}", inner: e);
        }
    }

    // "..", "." and a slash at the beginning mean nothing; links inside the folder are followed as the file system does.
    private string PathOf(string name)
    {
        var parts = new List<string>();
        foreach (var part in name.Split('/', '\\'))
        {
            if (part == "..")
            {
                if (parts.Count > 0)
                    parts.RemoveAt(parts.Count - 1);
            }
            else if (part is not ("" or "."))
            {
                parts.Add(part.Contains('\0', StringComparison.Ordinal) ? throw new BindingException("invalid file name") : part);
            }
        }

        return parts.Count == 0 ? _root : Path.Combine([_root, .. parts]);
    }

    // A JSON text loses its quotes, and what is base64 then is decoded, as recorded.
    private static byte[] Content(ReadOnlyMemory<byte> data)
    {
        var content = data.Span;
        if (content is [(byte)'"', .., (byte)'"'])
        {
            try
            {
                content = Encoding.UTF8.GetBytes(JsonSerializer.Deserialize<string>(content) ?? "");
            }
            catch (JsonException)
            {
                // Not a JSON text after all.
            }
        }

        var decoded = new byte[Base64.GetMaxDecodedFromUtf8Length(content.Length)];
        return !content.ContainsAny(" \t"u8) && Base64.DecodeFromUtf8(content, decoded, out var consumed, out var written) == OperationStatus.Done && consumed == content.Length
            ? decoded[..written]
            : content.ToArray();
    }
}
