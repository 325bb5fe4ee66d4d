namespace Dapr.Actors;

/// <summary>An exception that was thrown in another process.</summary>
public class ActorInvokeException : Exception
{
    public ActorInvokeException()
    {
    }

    public ActorInvokeException(string actualExceptionType, string message)
        : base(message) => ActualExceptionType = actualExceptionType;

    /// <summary>Full name of its type there.</summary>
    public string? ActualExceptionType { get; }
}
