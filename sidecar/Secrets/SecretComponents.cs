using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Secrets;

internal static class SecretComponents
{
    public static IEnumerable<ComponentType> Types =>
    [
        new("secretstores.local.file", spec => new LocalFileSecretStore(spec)),
        new("secretstores.local.env", spec => new LocalEnvironmentSecretStore(spec)),
    ];
}
