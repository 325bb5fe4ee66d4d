namespace Grpc.Core;

/// <summary>The result code of an RPC, with the numbers of the gRPC protocol.</summary>
public enum StatusCode
{
    /// <summary>Success.</summary>
    OK = 0,

    /// <summary>The call was cancelled, usually by the caller.</summary>
    Cancelled = 1,

    /// <summary>An error with no better code, e.g. an unhandled exception in the handler.</summary>
    Unknown = 2,

    /// <summary>The argument is wrong whatever the state of the system.</summary>
    InvalidArgument = 3,

    /// <summary>The deadline passed before the call completed; it may still have taken effect.</summary>
    DeadlineExceeded = 4,

    /// <summary>The entity does not exist.</summary>
    NotFound = 5,

    /// <summary>The entity to be created exists already.</summary>
    AlreadyExists = 6,

    /// <summary>The caller is known but not allowed to do this.</summary>
    PermissionDenied = 7,

    /// <summary>A quota or a size limit was exceeded.</summary>
    ResourceExhausted = 8,

    /// <summary>The system is not in the state that the operation needs; do not retry before it is.</summary>
    FailedPrecondition = 9,

    /// <summary>A concurrency conflict; retry at a higher level.</summary>
    Aborted = 10,

    /// <summary>The operation went past the valid range.</summary>
    OutOfRange = 11,

    /// <summary>The method is not implemented or not enabled here.</summary>
    Unimplemented = 12,

    /// <summary>An invariant is broken.</summary>
    Internal = 13,

    /// <summary>The service cannot be reached at present; retry with a back-off.</summary>
    Unavailable = 14,

    /// <summary>Data was lost or corrupted beyond repair.</summary>
    DataLoss = 15,

    /// <summary>The caller has no valid credentials.</summary>
    Unauthenticated = 16,
}
