using System.Collections.Concurrent;

namespace Dapr.Workflow;

/// <summary>A failure as it crossed the wire: the exception itself stays where it was thrown.</summary>
/// <param name="errorType">Full name of the exception's type.</param>
/// <param name="errorMessage">Its message.</param>
/// <param name="stackTrace">Where it was thrown, if known.</param>
public class WorkflowTaskFailureDetails(string errorType, string errorMessage, string? stackTrace = null)
{
    private static readonly ConcurrentDictionary<string, Type?> Types = new(StringComparer.Ordinal);

    public string ErrorType { get; } = errorType ?? throw new ArgumentNullException(nameof(errorType));

    public string ErrorMessage { get; } = errorMessage ?? throw new ArgumentNullException(nameof(errorMessage));

    public string? StackTrace { get; } = stackTrace;

    /// <summary>Whether the failure was a <typeparamref name="T"/> or derived from it; false if its type is not loaded in this process.</summary>
    public bool IsCausedBy<T>() where T : Exception =>
        ErrorType == typeof(T).FullName || Find(ErrorType) is { } type && typeof(T).IsAssignableFrom(type);

    public override string ToString() => $"{ErrorType}: {ErrorMessage}";

    private static Type? Find(string name)
    {
        if (Types.TryGetValue(name, out var known))
            return known;
        var found = Type.GetType(name, throwOnError: false);
        foreach (var assembly in AppDomain.CurrentDomain.GetAssemblies())
        {
            if (found is not null)
                break;
            found = assembly.GetType(name, throwOnError: false);
        }
        // Only hits are kept: names come from other apps and would grow without end, and an assembly may still be loaded later.
        if (found is not null)
            Types.TryAdd(name, found);
        return found;
    }
}
