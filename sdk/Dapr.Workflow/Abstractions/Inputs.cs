namespace Dapr.Workflow;

internal static class Inputs
{
    /// <summary>A value type cannot tell "no input" from a value, so a missing one is refused rather than made up.</summary>
    public static T Cast<T>(object? input, string owner)
    {
        if (input is null && default(T) is not null)
            throw new ArgumentNullException(nameof(input), $"'{owner}' takes a {typeof(T).Name} but was given no input. Use a nullable or a record type if the input is optional.");
        return (T)input!;
    }
}
