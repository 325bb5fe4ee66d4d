namespace Dapr.Common.Serialization;

/// <summary>Turns values into text and back. Null is the empty string.</summary>
public interface IDaprSerializer
{
    /// <param name="value">Null gives the empty string.</param>
    /// <param name="inputType">Null: the type of the value.</param>
    string Serialize(object? value, Type? inputType = null);

    T? Deserialize<T>(string? data);

    object? Deserialize(string? data, Type returnType);
}
