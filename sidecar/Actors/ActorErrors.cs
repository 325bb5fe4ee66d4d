using DaprPlatform.Sidecar.Http;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>The actor API's refusals, in daprd's words.</summary>
internal static class ActorErrors
{
    public const string Cut = "context canceled";
    private const string InvokePrefix = "error invoke actor method: ";

    public static ApiException BadName(string message) =>
        new(400, StatusCode.InvalidArgument, "ERR_BAD_REQUEST", $"invalid request: {message}") { GrpcMessage = message };

    /// <summary>As <see cref="BadName"/>; gRPC says it in the same words.</summary>
    public static ApiException BadRequest(string message) => ApiException.BadRequest("ERR_BAD_REQUEST", $"invalid request: {message}");

    public static ApiException Malformed(string message) => ApiException.BadRequest("ERR_MALFORMED_REQUEST", $"failed deserializing HTTP body: {message}");

    public static ApiException NoPlacement() => new(400, StatusCode.Unavailable, "ERR_ACTOR_NO_PLACEMENT", "placement service is not configured");

    public static ApiException Reserved(string type) =>
        new(403, StatusCode.PermissionDenied, "ERR_ACTOR_TYPE_RESERVED", $"actor type \"{type}\" is reserved for the Dapr workflow runtime; direct actor API access is not permitted");

    public static ApiException NoStore() => ApiException.Internal("ERR_ACTOR_RUNTIME_NOT_FOUND", Workflow.ActorStateStore.Missing);

    public static ApiException InstanceMissing() => new(400, StatusCode.Internal, "ERR_ACTOR_INSTANCE_MISSING", "actor instance is missing");

    public static ApiException StackDepth() => new(500, StatusCode.ResourceExhausted, "ERR_ACTOR_STACK_DEPTH", "maximum stack depth exceeded");

    public static ApiException Closed() => new(503, StatusCode.Unavailable, "ERR_ACTOR_RUNTIME_CLOSED", "actor runtime has been closed");

    public static ApiException Invoke(string message) => ApiException.Internal("ERR_ACTOR_INVOKE_METHOD", InvokePrefix + message);

    public static ApiException NoAddress(string type, string id)
    {
        var message = $"failed to lookup actor: api error: code = FailedPrecondition desc = did not find address for actor '{type}/{id}'";
        return new ApiException(500, StatusCode.FailedPrecondition, "ERR_ACTOR_INVOKE_METHOD", InvokePrefix + message) { GrpcMessage = message };
    }

    public static ApiException StateGet(string message) => ApiException.Internal("ERR_ACTOR_STATE_GET", $"error getting actor state: {message}");

    public static ApiException StateSave(string message) => ApiException.Internal("ERR_ACTOR_STATE_TRANSACTION_SAVE", $"error saving actor transaction state: {message}");

    public static ApiException TimerCreate(string message) => ApiException.Internal("ERR_ACTOR_TIMER_CREATE", $"error creating actor timer: {message}");

    public static ApiException ReminderCreate(string message) => ApiException.Internal("ERR_ACTOR_REMINDER_CREATE", $"error creating actor reminder: {message}");

    public static ApiException ReminderGet(string message) => ApiException.Internal("ERR_ACTOR_REMINDER_GET", $"error getting actor reminder: {message}");

    public static ApiException ReminderDelete(string message) => ApiException.Internal("ERR_ACTOR_REMINDER_DELETE", $"error deleting actor reminder: {message}");

    public static ApiException ReminderNotHosted() =>
        new(403, StatusCode.PermissionDenied, "ERR_ACTOR_REMINDER_NON_HOSTED", "operations on actor reminders are only possible on hosted actor types");

    public static ApiException ReminderNotFound(string name) => new(404, StatusCode.NotFound, "ERR_ACTOR_REMINDER_NOT_FOUND", $"actor reminder not found: {name}");

    public static ApiException ReminderExists(string name) => new(409, StatusCode.AlreadyExists, "ERR_ACTOR_REMINDER_ALREADY_EXISTS", $"actor reminder already exists: {name}");
}

/// <summary>A call did not get a usable answer from the actor's app; the message is what stands after "error invoke actor method: ".</summary>
/// <param name="status">HTTP status of the app; null where there is none.</param>
/// <param name="permanent">Repeating cannot mend it: there is no such method.</param>
internal sealed class ActorCallException(string message, int? status = null, bool permanent = false, Exception? inner = null) : Exception(message, inner), Resiliency.IFailureStatus
{
    public int? HttpStatus => status;

    public int? GrpcStatus => null;

    public bool IsPermanent => permanent;

    /// <summary>How it looks after it crossed a border between sidecars of daprd.</summary>
    public string RemoteMessage => $"rpc error: code = Internal desc = error invoke actor method: {Message}";
}

/// <summary>The actor is not, or no longer, on the sidecar that was asked: the table says where it is.</summary>
internal sealed class ActorMovedException(string type, string id) : Exception($"actor {type}/{id} is not hosted here");
