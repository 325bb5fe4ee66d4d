using System.Buffers;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Http;

namespace DaprPlatform.Sidecar.Secrets;

/// <summary>
/// <c>secretstores.local.file</c>: a JSON file, read once (https://docs.dapr.io/reference/components-reference/supported-secret-stores/file-secret-store/).
/// Nested values have the names of their parents before their own, joined by nestedSeparator; with multiValued the first level is the secret and the rest its values.
/// </summary>
internal sealed class LocalFileSecretStore(ComponentSpec spec) : ISecretStore
{
    private readonly SortedDictionary<string, IReadOnlyDictionary<string, string>> _secrets = new(StringComparer.Ordinal);
    private readonly bool _multiValued = spec.Flag("multiValued");
    private readonly string _separator = spec.Value("nestedSeparator") is { Length: > 0 } given ? given : ":";

    public IReadOnlyList<string> Capabilities => _multiValued ? ["MULTIPLE_KEY_VALUES_PER_SECRET"] : [];

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        var file = spec.Value("secretsFile") is { Length: > 0 } given ? given : throw new ComponentException("missing local secrets file in metadata");
        try
        {
            using var document = JsonDocument.Parse(await File.ReadAllBytesAsync(file, cancellationToken).ConfigureAwait(false));
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new ComponentException($"the secrets file {file} is no JSON object");
            foreach (var member in document.RootElement.EnumerateObject())
                Add(member.Name, member.Value);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ComponentException($"open {file}: no such file or directory", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new ComponentException($"the secrets file {file} cannot be read: {e.Message}", e);
        }
    }

    public ValueTask<IReadOnlyDictionary<string, string>?> GetAsync(string name, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        _secrets.TryGetValue(name, out var secret) ? new(secret) : throw new SecretNotFoundException($"secret {name} not found");

    public ValueTask<IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>> GetAllAsync(IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        new(_secrets);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Add(string name, JsonElement value)
    {
        if (!_multiValued)
        {
            foreach (var (path, text) in Leaves(name, value))
                _secrets[path] = new Dictionary<string, string> { [path] = text };
            return;
        }

        if (value.ValueKind == JsonValueKind.Array)
            return;
        var values = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (value.ValueKind != JsonValueKind.Object)
        {
            values[name] = Scalar(value);
        }
        else
        {
            foreach (var (path, text) in value.EnumerateObject().SelectMany(m => Leaves(m.Name, m.Value)))
                values[path] = text;
        }

        _secrets[name] = values;
    }

    private IEnumerable<(string Path, string Text)> Leaves(string path, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(m => Leaves(path + _separator + m.Name, m.Value)),
        JsonValueKind.Array => value.EnumerateArray().SelectMany((item, index) => Leaves($"{path}{_separator}{index}", item)),
        _ => [(path, Scalar(value))],
    };

    private static string Scalar(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number)
            return value.ValueKind switch { JsonValueKind.String => value.GetString()!, JsonValueKind.True => "true", JsonValueKind.False => "false", _ => "" };
        var output = new ArrayBufferWriter<byte>();
        GoJson.WriteNumber(output, value.GetDouble());
        return Encoding.ASCII.GetString(output.WrittenSpan);
    }
}
