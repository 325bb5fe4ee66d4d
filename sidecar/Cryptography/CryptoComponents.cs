using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Cryptography;

internal static class CryptoComponents
{
    public static IEnumerable<ComponentType> Types =>
    [
        new("crypto.dapr.localstorage", spec => new LocalStorageKeys(spec)),
        new("crypto.dapr.jwks", spec => new JwksKeys(spec)),
    ];
}
