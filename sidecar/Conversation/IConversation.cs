using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Conversation;

/// <summary>A component that converses with a language model. What it gets is checked, and scrubbed where the caller wants that.</summary>
internal interface IConversation : IComponent
{
    ValueTask<IReadOnlyList<ConversationResultAlpha2>> ConverseAsync(ConversationRequestAlpha2 request, CancellationToken cancellationToken);
}
