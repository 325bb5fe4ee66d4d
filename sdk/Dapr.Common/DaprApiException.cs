namespace Dapr;

/// <summary>The sidecar's HTTP API answered with an error.</summary>
public class DaprApiException : DaprException
{
    /// <summary>A lasting failure without an error code.</summary>
    public DaprApiException(string message)
        : this(message, null, false)
    {
    }

    /// <summary>A failure without an error code.</summary>
    public DaprApiException(string message, bool isTransient)
        : this(message, null, isTransient)
    {
    }

    /// <summary>A failure with its error code.</summary>
    public DaprApiException(string message, string? errorCode, bool isTransient)
        : this(message, null, errorCode, isTransient)
    {
    }

    /// <summary>A lasting failure with its cause.</summary>
    public DaprApiException(string message, Exception? inner)
        : this(message, inner, null, false)
    {
    }

    /// <summary>A failure with its cause and its error code.</summary>
    public DaprApiException(string message, Exception? inner, string? errorCode, bool isTransient)
        : base(message, inner)
    {
        ErrorCode = string.IsNullOrEmpty(errorCode) ? "UNKNOWN" : errorCode;
        IsTransient = isTransient;
    }

    /// <summary>The sidecar's error code, such as <c>ERR_ACTOR_INVOKE_METHOD</c>; <c>UNKNOWN</c> if it gave none.</summary>
    public string ErrorCode { get; }

    /// <summary>Whether the same call may succeed later.</summary>
    public bool IsTransient { get; }
}
