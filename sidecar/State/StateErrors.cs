using DaprPlatform.Sidecar.Http;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;

namespace DaprPlatform.Sidecar.State;

/// <summary>The state API's refusals. Plain ones carry an ErrorInfo over gRPC that only repeats their tag; there, no ErrorInfo has metadata.</summary>
internal static class StateErrors
{
    public static ApiException NotConfigured(string store, string appId) =>
        Rich(500, StatusCode.FailedPrecondition, "ERR_STATE_STORE_NOT_CONFIGURED", $"state store {store} is not configured", "DAPR_STATE_NOT_CONFIGURED", null, ("appID", appId));

    public static ApiException NotFound(string store, string appId) =>
        Rich(400, StatusCode.InvalidArgument, "ERR_STATE_STORE_NOT_FOUND", $"state store {store} is not found", "DAPR_STATE_NOT_FOUND", null, ("appID", appId));

    public static ApiException IllegalKey(string store, string key)
    {
        var message = Components.KeyPrefix.Refusal(key);
        var http = $"api error: code = InvalidArgument desc = {message}";
        return new ApiException(400, StatusCode.InvalidArgument, "ERR_MALFORMED_REQUEST", http, Details(http)) { GrpcMessage = message, GrpcDetails = Details(message) };

        IMessage[] Details(string description) =>
        [
            new BadRequest { FieldViolations = { new BadRequest.Types.FieldViolation { Field = key, Description = description } } },
            ApiException.Resource("state", store),
            ApiException.Info("DAPR_STATE_ILLEGAL_KEY"),
        ];
    }

    public static ApiException TransactionsNotSupported(string store) =>
        Rich(500, StatusCode.Unimplemented, "ERR_STATE_STORE_NOT_SUPPORTED", $"state store {store} doesn't support transactions", "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED", store);

    public static ApiException TooManyTransactions(string store, int given, int limit) =>
        Rich(400, StatusCode.InvalidArgument, "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS", $"the transaction contains {given} operations, which is more than what the state store supports: {limit}",
            "DAPR_STATE_TOO_MANY_TRANSACTIONS", store, ("currentOpsTransaction", $"{given}"), ("maxOpsPerTransaction", $"{limit}"));

    public static ApiException QueryNotSupported(string store) =>
        Rich(500, StatusCode.Internal, "ERR_STATE_STORE_NOT_SUPPORTED", "state store does not support querying", "DAPR_STATE_QUERYING_NOT_SUPPORTED", store);

    public static ApiException QueryFailed(string store, string reason) =>
        Rich(500, StatusCode.Internal, "ERR_STATE_QUERY", $"state store {store} query failed: {reason}", "DAPR_STATE_QUERY_FAILED", store);

    public static ApiException OperationNotSupported(string operation) =>
        Plain(400, StatusCode.Unimplemented, "ERR_NOT_SUPPORTED_STATE_OPERATION", $"operation type {operation} not supported");

    /// <summary>A write that the store has refused, with the status its ETag asks for.</summary>
    /// <param name="action">Such as <c>failed saving state in state store X</c>.</param>
    public static ApiException Write(string errorCode, string action, Exception error) => error switch
    {
        ETagException { IsInvalid: true } => Plain(400, StatusCode.InvalidArgument, errorCode, $"{action}: {error.Message}"),
        ETagException => Plain(409, StatusCode.Aborted, errorCode, $"{action}: {error.Message}"),
        _ => Plain(500, StatusCode.Internal, errorCode, $"{action}: {error.Message}"),
    };

    public static ApiException Plain(int httpStatus, StatusCode grpcCode, string errorCode, string message) =>
        new(httpStatus, grpcCode, errorCode, message) { GrpcDetails = [ApiException.Info(errorCode)] };

    private static ApiException Rich(int httpStatus, StatusCode grpcCode, string errorCode, string message, string reason, string? store, params (string Key, string Value)[] metadata)
    {
        IMessage[] resource = store is null ? [] : [ApiException.Resource("state", store)];
        return new ApiException(httpStatus, grpcCode, errorCode, message, [.. resource, ApiException.Info(reason, metadata)]) { GrpcDetails = [.. resource, ApiException.Info(reason)] };
    }
}
