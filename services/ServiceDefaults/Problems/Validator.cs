using System.Diagnostics.CodeAnalysis;

namespace DaprPlatform.ServiceDefaults.Problems;

/// <summary>Collects what is wrong with a request, so that the caller hears all of it at once.</summary>
public sealed class Validator
{
    private Dictionary<string, List<string>>? _errors;

    public Validator Require(bool condition, string field, string message)
    {
        if (!condition)
            Add(field, message);
        return this;
    }

    /// <summary>Present, without control characters, and of a length within the bounds after trimming.</summary>
    public Validator Text([NotNull] string? value, string field, int min, int max)
    {
        value ??= "";
        var length = value.AsSpan().Trim().Length;
        if (length < min || length > max)
            Add(field, $"must have {min} to {max} characters");
        else if (value.AsSpan().ContainsAnyInRange('\0', '\u001f'))
            Add(field, "must not contain control characters");
        return this;
    }

    public void Add(string field, string message)
    {
        _errors ??= [];
        if (!_errors.TryGetValue(field, out var list))
            _errors[field] = list = [];
        list.Add(message);
    }

    /// <exception cref="ProblemException">400 with everything collected.</exception>
    public void ThrowIfInvalid()
    {
        if (_errors is not null)
            throw Refusals.Validation(_errors.ToDictionary(e => e.Key, e => e.Value.ToArray()));
    }
}
