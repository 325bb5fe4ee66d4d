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

    // What Dapr calls the kinds of components in its messages, by the begin of their types.
    private static readonly (string Prefix, string Name)[] Categories =
    [
        ("state.", "state store"), ("secretstores.", "secret store"), ("pubsub.", "message bus"), ("configuration.", "configuration store"), ("lock.", "lock store"),
        ("bindings.", "binding"), ("middleware.http.", "HTTP middleware"), ("crypto.", "crypto provider"), ("conversation.", "conversation component"),
    ];

    /// <summary>Whether a type is of a kind that exists at all.</summary>
    public static bool IsCategory(string type) => Categories.Any(c => type.StartsWith(c.Prefix, StringComparison.Ordinal));

    public static string CategoryOf(string type) => Categories.FirstOrDefault(c => type.StartsWith(c.Prefix, StringComparison.Ordinal)).Name;

    public static ComponentType? Find(string type, string version) => version is "" or "v1" or "v2" ? All.GetValueOrDefault(type) : null;
}
