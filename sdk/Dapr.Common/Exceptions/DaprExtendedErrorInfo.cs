namespace Dapr.Common.Exceptions;

/// <summary>What the sidecar said about a failure in the trailer <c>grpc-status-details-bin</c>.</summary>
/// <param name="Code">The gRPC status code.</param>
/// <param name="Message">The sidecar's message.</param>
public sealed record DaprExtendedErrorInfo(int Code, string Message)
{
    /// <summary>The details, in the order sent.</summary>
    public DaprExtendedErrorDetail[] Details { get; init; } = [];
}

/// <summary>Kinds of details.</summary>
public enum DaprExtendedErrorType
{
    /// <summary>One that this version does not know.</summary>
    Unknown = 0,

    /// <summary><see cref="DaprRetryInfoDetail"/>.</summary>
    RetryInfo,

    /// <summary><see cref="DaprDebugInfoDetail"/>.</summary>
    DebugInfo,

    /// <summary><see cref="DaprQuotaFailureDetail"/>.</summary>
    QuotaFailure,

    /// <summary><see cref="DaprPreconditionFailureDetail"/>.</summary>
    PreconditionFailure,

    /// <summary><see cref="DaprRequestInfoDetail"/>.</summary>
    RequestInfo,

    /// <summary><see cref="DaprLocalizedMessageDetail"/>.</summary>
    LocalizedMessage,

    /// <summary><see cref="DaprBadRequestDetail"/>.</summary>
    BadRequest,

    /// <summary><see cref="DaprErrorInfoDetail"/>.</summary>
    ErrorInfo,

    /// <summary><see cref="DaprHelpDetail"/>.</summary>
    Help,

    /// <summary><see cref="DaprResourceInfoDetail"/>.</summary>
    ResourceInfo,
}

/// <summary>One detail of a failure.</summary>
/// <param name="ErrorType">Its kind.</param>
public abstract record DaprExtendedErrorDetail(DaprExtendedErrorType ErrorType);

/// <summary>A detail of a kind that this version does not know.</summary>
/// <param name="TypeUrl">The name of its protobuf message.</param>
public sealed record DaprUnknownDetail(string TypeUrl) : DaprExtendedErrorDetail(DaprExtendedErrorType.Unknown);

/// <summary>Where it failed, for developers.</summary>
/// <param name="StackEntries">The stack, innermost first.</param>
/// <param name="Detail">More about it.</param>
public sealed record DaprDebugInfoDetail(IReadOnlyCollection<string> StackEntries, string Detail) : DaprExtendedErrorDetail(DaprExtendedErrorType.DebugInfo);

/// <summary>Preconditions that do not hold.</summary>
public sealed record DaprPreconditionFailureDetail() : DaprExtendedErrorDetail(DaprExtendedErrorType.PreconditionFailure)
{
    /// <summary>Each of them.</summary>
    public IReadOnlyCollection<DaprPreconditionFailureViolation> Violations { get; init; } = [];
}

/// <summary>A precondition that does not hold.</summary>
public sealed record DaprPreconditionFailureViolation(string Type, string Subject, string Description);

/// <summary>When to try again.</summary>
public sealed record DaprRetryInfoDetail() : DaprExtendedErrorDetail(DaprExtendedErrorType.RetryInfo)
{
    /// <summary>How long to wait.</summary>
    public DaprRetryDelay Delay { get; init; } = new(0, 0);
}

/// <summary>A time to wait.</summary>
public sealed record DaprRetryDelay(long Seconds, int Nanos);

/// <summary>Quotas that are used up.</summary>
public sealed record DaprQuotaFailureDetail() : DaprExtendedErrorDetail(DaprExtendedErrorType.QuotaFailure)
{
    /// <summary>Each of them.</summary>
    public IReadOnlyCollection<DaprQuotaFailureViolation> Violations { get; init; } = [];
}

/// <summary>A quota that is used up.</summary>
public sealed record DaprQuotaFailureViolation(string Subject, string Description);

/// <summary>Fields of the request that are wrong.</summary>
public sealed record DaprBadRequestDetail() : DaprExtendedErrorDetail(DaprExtendedErrorType.BadRequest)
{
    /// <summary>Each of them.</summary>
    public IReadOnlyCollection<DaprBadRequestDetailFieldViolation> FieldViolations { get; init; } = [];
}

/// <summary>A field of the request that is wrong.</summary>
public sealed record DaprBadRequestDetailFieldViolation(string Field, string Description);

/// <summary>Which request it was.</summary>
public sealed record DaprRequestInfoDetail(string RequestId, string ServingData) : DaprExtendedErrorDetail(DaprExtendedErrorType.RequestInfo);

/// <summary>A message for people.</summary>
public sealed record DaprLocalizedMessageDetail(string Locale, string Message) : DaprExtendedErrorDetail(DaprExtendedErrorType.LocalizedMessage);

/// <summary>The resource concerned.</summary>
public sealed record DaprResourceInfoDetail(string ResourceType, string ResourceName, string Owner, string Description) : DaprExtendedErrorDetail(DaprExtendedErrorType.ResourceInfo);

/// <summary>Where to read on.</summary>
public sealed record DaprHelpDetail() : DaprExtendedErrorDetail(DaprExtendedErrorType.Help)
{
    /// <summary>Each place.</summary>
    public IReadOnlyCollection<DaprHelpDetailLink> Links { get; init; } = [];
}

/// <summary>A place to read on.</summary>
public sealed record DaprHelpDetailLink(string Url, string Description);

/// <summary>The reason, such as <c>DAPR_STATE_NOT_FOUND</c>.</summary>
public sealed record DaprErrorInfoDetail(string Reason, string Domain, IDictionary<string, string>? Metadata) : DaprExtendedErrorDetail(DaprExtendedErrorType.ErrorInfo);
