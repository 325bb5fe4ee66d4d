using DaprPlatform.Sidecar.Http;
using Grpc.Core;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>The pub/sub API's refusals.</summary>
internal static class PubSubErrors
{
    public static ApiException NameEmpty() => Rich(404, StatusCode.InvalidArgument, "ERR_PUBSUB_EMPTY", "", "pubsub name is empty", "DAPR_PUBSUB_NAME_EMPTY");

    public static ApiException NotFound(string pubsub) =>
        new(404, StatusCode.InvalidArgument, "ERR_PUBSUB_NOT_FOUND", $"pubsub {pubsub} is not found", ApiException.Info("DAPR_PUBSUB_NOT_FOUND")) { ShowsEmptyMetadata = true };

    public static ApiException TopicEmpty(string pubsub) => Rich(404, StatusCode.InvalidArgument, "ERR_TOPIC_NAME_EMPTY", pubsub, $"topic is empty in pubsub {pubsub}", "DAPR_PUBSUB_TOPIC_NAME_EMPTY");

    public static ApiException RawPayload(string pubsub, string value) =>
        Rich(400, StatusCode.InvalidArgument, "ERR_PUBSUB_REQUEST_METADATA", pubsub, $"failed deserializing metadata. Error: rawPayload value must be a valid boolean: actual is '{value}'",
            "DAPR_PUBSUB_METADATA_DESERIALIZATION", ("rawPayload", value));

    public static ApiException Forbidden(string pubsub, string topic, string appId)
    {
        var message = $"topic {topic} is not allowed for app id {appId}";
        return Rich(403, StatusCode.PermissionDenied, "ERR_PUBSUB_FORBIDDEN", pubsub, message, "DAPR_PUBSUB_FORBIDDEN", ("error", message), ("topic", topic));
    }

    public static ApiException CloudEvent(string pubsub, string appId, string error) =>
        Rich(500, StatusCode.InvalidArgument, "ERR_PUBSUB_CLOUD_EVENTS_SER", pubsub, "cannot create cloudevent", "DAPR_PUBSUB_CLOUD_EVENT_CREATION", ("appID", appId), ("error", error));

    public static ApiException Publish(string pubsub, string topic, string error) =>
        Rich(500, StatusCode.Internal, "ERR_PUBSUB_PUBLISH_MESSAGE", pubsub, $"error when publishing to topic {topic} in pubsub {pubsub}: {error}", "DAPR_PUBSUB_PUBLISH_MESSAGE", ("error", error), ("topic", topic));

    public static ApiException Marshal(string pubsub, string topic, string appId, string error) =>
        Rich(400, StatusCode.InvalidArgument, "ERR_PUBSUB_EVENTS_SER", pubsub, $"error marshaling events to bytes for topic {topic} pubsub {pubsub}. error: {error}", "DAPR_PUBSUB_MARSHAL_EVENTS", ("appID", appId), ("error", error));

    public static ApiException Unmarshal(string pubsub, string topic, string appId, string error) =>
        Rich(400, StatusCode.InvalidArgument, "ERR_PUBSUB_EVENTS_SER", pubsub, $"error when unmarshaling the request for topic {topic} pubsub {pubsub}: {error}", "DAPR_PUBSUB_UNMARSHAL_EVENTS", ("appID", appId), ("error", error));

    private static ApiException Rich(int status, StatusCode code, string errorCode, string pubsub, string message, string reason, params (string Key, string Value)[] metadata) =>
        new(status, code, errorCode, message, ApiException.Resource("pubsub", pubsub, description: message), ApiException.Info(reason, metadata));
}
