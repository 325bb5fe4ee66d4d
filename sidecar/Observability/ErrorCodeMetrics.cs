using DaprPlatform.Sidecar.Http;
using Google.Rpc;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>
/// Errors that the API answered with, by their codes and the categories of Dapr's reference of errors
/// (https://docs.dapr.io/developing-applications/error-codes/error-codes-reference/); only where Configuration's <c>metrics.recordErrorCodes</c> says so.
/// </summary>
internal sealed class ErrorCodeMetrics(MetricsRegistry registry, bool enabled)
{
    private const string Common = "common";

    // The first that a code begins with.
    private static readonly (string Prefix, string Category)[] Categories =
    [
        ("ERR_ACTOR_", "actor"), ("ERR_WORKFLOW_", "workflow"), ("ERR_INSTANCE_ID_", "workflow"), ("ERR_STATE_", "state"), ("ERR_NOT_SUPPORTED_STATE_", "state"), ("DAPR_STATE_", "state"),
        ("ERR_CONFIGURATION_", "configuration"), ("ERR_CRYPTO", "crypto"), ("ERR_SECRET_", "secret"), ("ERR_PERMISSION_DENIED", "secret"), ("ERR_PUBSUB_", "pubsub"), ("ERR_TOPIC_", "pubsub"),
        ("ERR_PUBLISH_", "pubsub"), ("DAPR_PUBSUB_", "pubsub"), ("ERR_CONVERSATION_", "conversation"), ("ERR_DIRECT_INVOKE", "service-invocation"), ("ERR_INVOKE_OUTPUT_BINDING", "binding"),
        ("ERR_LOCK_", "lock"), ("ERR_TRY_LOCK", "lock"), ("ERR_UNLOCK", "lock"), ("ERR_HEALTH_", "health"), ("ERR_OUTBOUND_HEALTH_", "health"), ("DAPR_SCHEDULER_", "job"),
    ];

    private readonly MetricFamily? _count = enabled ? registry.Counter("dapr_error_code_total", "error_code", "category") : null;

    /// <param name="overGrpc">There the code is what the details name as the reason.</param>
    public void Count(ApiException error, bool overGrpc)
    {
        if (_count is null)
            return;
        var details = overGrpc ? error.GrpcDetails ?? error.Details : error.Details;
        var reason = details.OfType<ErrorInfo>().FirstOrDefault()?.Reason is { Length: > 0 } given ? given : error.ErrorCode;
        // A malformed request is everybody's, but one of a key that is no key is of the state's.
        var category = CategoryOf(reason);
        _count.Increment(overGrpc ? reason : error.ErrorCode, category == Common ? CategoryOf(error.ErrorCode) : category);
    }

    /// <summary>An error whose answer has a form of its own.</summary>
    public void Count(string code) => _count?.Increment(code, CategoryOf(code));

    internal static string CategoryOf(string code)
    {
        foreach (var (prefix, category) in Categories)
        {
            if (code.StartsWith(prefix, StringComparison.Ordinal))
                return category;
        }

        return code.EndsWith("_WORKFLOW", StringComparison.Ordinal) ? "workflow" : Common;
    }
}
