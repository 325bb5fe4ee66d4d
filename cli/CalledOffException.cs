namespace DaprPlatform.Cli;

/// <summary>The user has ended a command before its time: the message says what became of it, and the exit code is 130.</summary>
internal sealed class CalledOffException : OperationCanceledException
{
    public CalledOffException(string message) : base(message)
    {
    }

    public CalledOffException(string message, Exception cause) : base(message, cause)
    {
    }
}
