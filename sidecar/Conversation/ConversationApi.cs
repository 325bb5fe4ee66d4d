using System.Text.Json;
using System.Text.Json.Nodes;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resiliency;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Conversation;

/// <summary>Conversations of apps with language models (https://docs.dapr.io/reference/api/conversation_api/); the older form is answered by the newer one.</summary>
internal sealed class ConversationApi(SidecarRuntime runtime) : IBuildingBlock
{
    // Parameters may be of any well-known type.
    private static readonly TypeRegistry Types = TypeRegistry.FromFiles(WrappersReflection.Descriptor, StructReflection.Descriptor, TimestampReflection.Descriptor, DurationReflection.Descriptor);
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true).WithTypeRegistry(Types));
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithTypeRegistry(Types));

    public void MapHttp(Router router)
    {
        router.Map("conversation", "v1.0-alpha1", "POST", "conversation/{component}/converse", async context =>
        {
            var request = await ReadAsync<ConversationRequest>(context).ConfigureAwait(false);
            request.Name = context["component"];
            await WriteAsync(context, await ConverseAsync(request, context.Cancelled).ConfigureAwait(false)).ConfigureAwait(false);
        });
        router.Map("conversation", "v1.0-alpha2", "POST", "conversation/{component}/converse", async context =>
        {
            var request = await ReadAsync<ConversationRequestAlpha2>(context).ConfigureAwait(false);
            request.Name = context["component"];
            await WriteAsync(context, await ConverseAsync(request, context.Cancelled).ConfigureAwait(false)).ConfigureAwait(false);
        });
    }

    /// <summary>The parts of a message, whoever said it; none of a message of no kind.</summary>
    public static RepeatedField<ConversationMessageContent> Contents(ConversationMessage said) => said.MessageTypesCase switch
    {
        ConversationMessage.MessageTypesOneofCase.OfDeveloper => said.OfDeveloper.Content,
        ConversationMessage.MessageTypesOneofCase.OfSystem => said.OfSystem.Content,
        ConversationMessage.MessageTypesOneofCase.OfUser => said.OfUser.Content,
        ConversationMessage.MessageTypesOneofCase.OfAssistant => said.OfAssistant.Content,
        ConversationMessage.MessageTypesOneofCase.OfTool => said.OfTool.Content,
        _ => [],
    };

    public async ValueTask<ConversationResponse> ConverseAsync(ConversationRequest request, CancellationToken cancellationToken)
    {
        var newer = new ConversationRequestAlpha2 { Name = request.Name, Parameters = { request.Parameters }, Metadata = { request.Metadata } };
        if (request.HasContextID)
            newer.ContextId = request.ContextID;
        if (request.HasScrubPII)
            newer.ScrubPii = request.ScrubPII;
        if (request.HasTemperature)
            newer.Temperature = request.Temperature;
        foreach (var input in request.Inputs)
        {
            var content = new ConversationMessageContent { Text = input.Content };
            var said = input.Role.ToLowerInvariant() switch
            {
                "system" => new ConversationMessage { OfSystem = new ConversationMessageOfSystem { Content = { content } } },
                "developer" => new ConversationMessage { OfDeveloper = new ConversationMessageOfDeveloper { Content = { content } } },
                "assistant" => new ConversationMessage { OfAssistant = new ConversationMessageOfAssistant { Content = { content } } },
                _ => new ConversationMessage { OfUser = new ConversationMessageOfUser { Content = { content } } },
            };
            newer.Inputs.Add(new ConversationInputAlpha2 { ScrubPii = input.ScrubPII, Messages = { said } });
        }

        var answer = await ConverseAsync(newer, cancellationToken).ConfigureAwait(false);
        var response = new ConversationResponse();
        if (answer.HasContextId)
            response.ContextID = answer.ContextId;
        foreach (var choice in answer.Outputs.SelectMany(o => o.Choices))
            response.Outputs.Add(new ConversationResult { Result = choice.Message?.Content ?? "", Parameters = { request.Parameters } });
        return response;
    }

    public async ValueTask<ConversationResponseAlpha2> ConverseAsync(ConversationRequestAlpha2 request, CancellationToken cancellationToken)
    {
        if (!runtime.Components.TryGet<IConversation>(request.Name, out var component))
            throw ApiException.BadRequest("ERR_CONVERSATION_NOT_FOUND", $"failed finding conversation component {request.Name}");
        if (request.Inputs.Count == 0)
            throw ApiException.BadRequest("ERR_CONVERSATION_MISSING_INPUTS", $"failed conversing with component {request.Name}: missing inputs in request");
        Check(request);
        foreach (var content in request.Inputs.Where(i => i.ScrubPii).SelectMany(i => i.Messages).SelectMany(Contents))
            content.Text = Scrubber.Scrub(content.Text);
        var start = runtime.Time.GetTimestamp();
        var answered = false;
        try
        {
            var outputs = await runtime.Resiliency.ForComponent(request.Name, "Conversation", ComponentDirection.Outbound)
                .RunAsync(token => component.ConverseAsync(request, token), cancellationToken).ConfigureAwait(false);
            answered = true;
            var response = new ConversationResponseAlpha2 { Outputs = { outputs } };
            if (request.HasContextId)
                response.ContextId = request.ContextId;
            if (request.ScrubPii)
            {
                foreach (var message in outputs.SelectMany(o => o.Choices).Select(c => c.Message).OfType<ConversationResultMessage>())
                    message.Content = Scrubber.Scrub(message.Content);
            }

            return response;
        }
        catch (Exception e) when (e is not (OperationCanceledException or ApiException))
        {
            throw ApiException.Internal("ERR_CONVERSATION_INVOKE", $"failed conversing with component {request.Name}: {e.Message}");
        }
        finally
        {
            runtime.Metrics.Conversation(request.Name, answered, runtime.Time.GetElapsedTime(start).TotalMilliseconds);
        }
    }

    private static void Check(ConversationRequestAlpha2 request)
    {
        if (request.Inputs.SelectMany(i => i.Messages).Any(m => m.MessageTypesCase == ConversationMessage.MessageTypesOneofCase.None))
            throw Invalid("message type cannot be nil");
        if (request.ToolChoice is not ("" or "auto" or "none" or "required") && request.Tools.All(t => t.Function?.Name != request.ToolChoice))
            throw Invalid("tool choice selected was not found. Must be 'auto', 'none', 'required', or a specific tool name matching the tools available to be used");

        ApiException Invalid(string reason) => ApiException.BadRequest("ERR_CONVERSATION_INVALID_PARMS", $"failed conversing with component {request.Name}: invalid params: {reason}");
    }

    private static async ValueTask<T> ReadAsync<T>(ApiContext context) where T : IMessage, new()
    {
        try
        {
            var body = await context.BodyAsync().ConfigureAwait(false);
            return body.Length == 0 ? new T() : (T)Parser.Parse(System.Text.Encoding.UTF8.GetString(body), new T().Descriptor);
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException or InvalidOperationException or BodyTooLargeException)
        {
            throw ApiException.BadRequest("ERR_MALFORMED_REQUEST", $"failed deserializing HTTP body: {e.Message}");
        }
    }

    // Written anew, since protobuf's own form has spaces and escapes that Dapr's has not.
    private static Task WriteAsync(ApiContext context, IMessage answer) => context.Bytes(JsonSerializer.SerializeToUtf8Bytes(JsonNode.Parse(Formatter.Format(answer)), Json.Options));
}
