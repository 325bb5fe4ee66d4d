namespace Grpc.Core;

/// <summary>Stands for a server call whose deadline and cancellation client calls take over.</summary>
public abstract class ContextPropagationToken
{
    internal ContextPropagationToken()
    {
    }

    internal abstract DateTime Deadline { get; }

    internal abstract CancellationToken CancellationToken { get; }
}

/// <summary>What a <see cref="ContextPropagationToken"/> passes on.</summary>
public class ContextPropagationOptions
{
    /// <summary>Passes on deadline and cancellation.</summary>
    public static readonly ContextPropagationOptions Default = new();

    /// <summary>Options with the given choices.</summary>
    public ContextPropagationOptions(bool propagateDeadline = true, bool propagateCancellation = true)
    {
        IsPropagateDeadline = propagateDeadline;
        IsPropagateCancellation = propagateCancellation;
    }

    /// <summary>Whether the deadline is passed on.</summary>
    public bool IsPropagateDeadline { get; }

    /// <summary>Whether cancellation is passed on.</summary>
    public bool IsPropagateCancellation { get; }
}
