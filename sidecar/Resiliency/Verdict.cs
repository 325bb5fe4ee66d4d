using Grpc.Core;

namespace DaprPlatform.Sidecar.Resiliency;

/// <summary>What a result means to the policies: a success, or a failure of a status that retries may be limited to.</summary>
/// <param name="IsFinal">Repeating is not possible; the breaker counts it all the same.</param>
internal readonly record struct Verdict(bool Failed, int? HttpStatus, int? GrpcStatus, bool IsFinal = false)
{
    public static Verdict Success => default;

    /// <summary>A failure without a status: it is retried whatever the policy matches.</summary>
    public static Verdict Failure { get; } = new(true, null, null);

    public static Verdict Http(int status) => new(true, status, null);

    public static Verdict Grpc(StatusCode status) => new(true, null, (int)status);

    /// <summary>What an exception means.</summary>
    public static Verdict Of(Exception e) => e switch
    {
        PermanentException => Failure with { IsFinal = true },
        IFailureStatus status => new Verdict(true, status.HttpStatus, status.GrpcStatus),
        RpcException rpc => Grpc(rpc.StatusCode),
        _ => Failure,
    };
}

/// <summary>An exception that knows the status it stands for, for a retry policy's <c>matching</c>.</summary>
internal interface IFailureStatus
{
    int? HttpStatus { get; }

    int? GrpcStatus { get; }
}

/// <summary>A failure that repeating cannot mend; its inner exception is what the caller gets.</summary>
internal sealed class PermanentException(Exception inner) : Exception(inner.Message, inner);

/// <summary>A policy ended the operation: its time is over, or the breaker is open. The message is daprd's.</summary>
internal sealed class PolicyException(string message) : Exception(message)
{
    public const string TimedOut = "context deadline exceeded";
    public const string Open = "circuit breaker is open";
    public const string TooMany = "too many requests";
}
