using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Conversation;

internal static class ConversationComponents
{
    public static IEnumerable<ComponentType> Types => [new("conversation.echo", static _ => new EchoConversation())];
}
