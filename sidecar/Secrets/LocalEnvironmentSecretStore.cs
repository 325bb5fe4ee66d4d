using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Secrets;

/// <summary>
/// <c>secretstores.local.env</c>: environment variables of the sidecar, those of Dapr itself left out. With a prefix only variables that begin with it, under the rest of
/// their name. A variable that is not set is an empty secret.
/// </summary>
internal sealed class LocalEnvironmentSecretStore(ComponentSpec spec) : ISecretStore
{
    private readonly string _prefix = spec.Value("prefix") ?? "";

    public IReadOnlyList<string> Capabilities => [];

    public Task InitAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask<IReadOnlyDictionary<string, string>?> GetAsync(string name, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var variable = _prefix + name;
        var value = IsHidden(variable) ? "" : spec.Options.Environment.GetValueOrDefault(variable, "");
        return new(new Dictionary<string, string> { [name] = value });
    }

    public ValueTask<IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>> GetAllAsync(IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var secrets = new SortedDictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);
        foreach (var (variable, value) in spec.Options.Environment)
        {
            if (!variable.StartsWith(_prefix, StringComparison.Ordinal) || IsHidden(variable))
                continue;
            var name = variable[_prefix.Length..];
            secrets[name] = new Dictionary<string, string> { [name] = value };
        }

        return new(secrets);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static bool IsHidden(string variable) =>
        variable.Equals("APP_API_TOKEN", StringComparison.OrdinalIgnoreCase) || variable.StartsWith("DAPR_", StringComparison.OrdinalIgnoreCase);
}
