namespace DaprPlatform.Cli;

/// <summary>Something the user can mend: its message is the whole of what is printed, and the exit code is 1.</summary>
internal sealed class CommandException : Exception
{
    public CommandException(string message) : base(message)
    {
    }

    public CommandException(string message, Exception cause) : base(message, cause)
    {
    }
}
