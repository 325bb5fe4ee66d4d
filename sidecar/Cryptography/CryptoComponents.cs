using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Cryptography;

internal static class CryptoComponents
{
    public static IEnumerable<ComponentType> Types => [];
}
