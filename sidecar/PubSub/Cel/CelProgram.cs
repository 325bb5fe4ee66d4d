namespace DaprPlatform.Sidecar.PubSub.Cel;

/// <summary>
/// A compiled expression of the Common Expression Language: literals, operators, fields and indexes, <c>has</c>, <c>in</c>, the macros all, exists,
/// exists_one, map and filter, and the standard functions. Protocol buffer messages are not part of it. Immutable, safe for concurrent use.
/// </summary>
internal sealed class CelProgram
{
    private readonly CelNode _root;
    private readonly int _slots;

    private CelProgram(CelNode root, int slots)
    {
        _root = root;
        _slots = slots;
    }

    /// <summary>Compiles an expression over variables of these names, of any type.</summary>
    /// <exception cref="CelException">It is not valid; the message says where.</exception>
    public static CelProgram Compile(string expression, params IReadOnlyList<string> variables)
    {
        var (root, slots) = CelParser.Parse(expression, variables);
        return new CelProgram(root, slots);
    }

    /// <summary>Evaluates with the variables' values, in the order of their names. A failure is a value of kind <see cref="CelKind.Error"/>.</summary>
    public CelValue Evaluate(params ReadOnlySpan<CelValue> variables)
    {
        var slots = new CelValue[_slots];
        variables.CopyTo(slots);
        return _root.Evaluate(slots);
    }
}
