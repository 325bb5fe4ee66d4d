namespace Dapr.Actors.Runtime;

/// <summary>A value that may not be there.</summary>
public readonly struct ConditionalValue<TValue>(bool hasValue, TValue value)
{
    public bool HasValue { get; } = hasValue;

    public TValue Value { get; } = value;
}
