using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Conversation;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The gRPC face of conversations.</summary>
internal sealed partial class DaprGrpcService
{
    private ConversationApi Conversations => field ??= _runtime.Block<ConversationApi>();

    public override Task<ConversationResponse> ConverseAlpha1(ConversationRequest request, ServerCallContext context) => Translated(Conversations.ConverseAsync(request, context.CancellationToken));

    public override Task<ConversationResponseAlpha2> ConverseAlpha2(ConversationRequestAlpha2 request, ServerCallContext context) => Translated(Conversations.ConverseAsync(request, context.CancellationToken));
}
