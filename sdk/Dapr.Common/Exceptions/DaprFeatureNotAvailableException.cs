namespace Dapr.Common.Exceptions;

/// <summary>The sidecar is too old for the operation, or does not serve it.</summary>
public class DaprFeatureNotAvailableException : DaprException
{
    /// <summary>A failure without a cause of its own.</summary>
    public DaprFeatureNotAvailableException(string message)
        : base(message)
    {
    }

    /// <summary>A failure with its cause.</summary>
    public DaprFeatureNotAvailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
