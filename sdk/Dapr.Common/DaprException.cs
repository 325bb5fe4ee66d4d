namespace Dapr;

/// <summary>An operation of the sidecar failed. <see cref="Exception.InnerException"/> is an <c>RpcException</c> if the sidecar said why.</summary>
public class DaprException : Exception
{
    /// <summary>A failure without a cause of its own.</summary>
    public DaprException(string message)
        : base(message)
    {
    }

    /// <summary>A failure with its cause.</summary>
    public DaprException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
