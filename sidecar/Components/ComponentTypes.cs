namespace DaprPlatform.Sidecar.Components;

/// <summary>Every type of component this runtime knows. A building block adds its own in its folder (<c>StateComponents.Types</c> and so on).</summary>
internal static class ComponentTypes
{
    private static readonly Dictionary<string, ComponentType> All = new[]
    {
        State.StateComponents.Types,
        Secrets.SecretComponents.Types,
        PubSub.PubSubComponents.Types,
        Configuration.ConfigurationComponents.Types,
        Locking.LockComponents.Types,
        Bindings.BindingComponents.Types,
        Middleware.MiddlewareComponents.Types,
        Cryptography.CryptoComponents.Types,
        Conversation.ConversationComponents.Types,
    }.SelectMany(t => t).ToDictionary(t => t.Type, StringComparer.OrdinalIgnoreCase);

    public static ComponentType? Find(string type, string version) => version is "" or "v1" or "v2" ? All.GetValueOrDefault(type) : null;
}
