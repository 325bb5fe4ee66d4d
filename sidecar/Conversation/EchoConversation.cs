using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Conversation;

/// <summary>
/// <c>conversation.echo</c>: answers what it was told, for trying an app without a model (https://docs.dapr.io/reference/components-reference/supported-conversation/local-echo/).
/// Every tool offered is called, with the names of its parameters as arguments. A word is a token.
/// </summary>
internal sealed class EchoConversation : IConversation
{
    public IReadOnlyList<string> Capabilities => [];

    public Task InitAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask<IReadOnlyList<ConversationResultAlpha2>> ConverseAsync(ConversationRequestAlpha2 request, CancellationToken cancellationToken)
    {
        var texts = new List<string>();
        var message = new ConversationResultMessage();
        for (var i = 0; i < request.Tools.Count; i++)
        {
            var function = request.Tools[i].Function ?? new ConversationToolsFunction();
            var parameters = function.Parameters?.Fields.GetValueOrDefault("properties")?.StructValue?.Fields.Keys.Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>();
            message.ToolCalls.Add(new ConversationToolCalls { Id = $"{i}", Function = new ConversationToolCallsOfFunction { Name = function.Name, Arguments = string.Join(',', parameters) } });
        }

        foreach (var said in request.Inputs.SelectMany(i => i.Messages))
        {
            texts.AddRange(Texts(said));
            if (said.OfAssistant is { } assistant)
                message.ToolCalls.AddRange(assistant.ToolCalls);
        }

        message.Content = string.Join('\n', texts);
        var words = (ulong)message.Content.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
        var result = new ConversationResultAlpha2
        {
            Choices = { new ConversationResultChoices { FinishReason = message.ToolCalls.Count > 0 ? "tool_calls" : "stop", Message = message } },
            Usage = new ConversationResultAlpha2CompletionUsage { CompletionTokens = words, PromptTokens = words, TotalTokens = 2 * words },
        };
        return new([result]);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static IEnumerable<string> Texts(ConversationMessage said) => said.MessageTypesCase switch
    {
        ConversationMessage.MessageTypesOneofCase.OfTool =>
            said.OfTool.Content.Select(c => $"Tool Response for tool ID '{said.OfTool.ToolId}' with name '{said.OfTool.Name}': {c.Text}"),
        _ => ConversationApi.Contents(said).Select(c => c.Text),
    };
}
