namespace DaprPlatform.Sidecar.PubSub.Cel;

/// <summary>What is known of a value before it is there. Fields of an event are <see cref="Dyn"/>: anything.</summary>
internal enum CelType : byte
{
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    List,
    Map,
    Timestamp,
    Duration,
    Type,
}

/// <summary>
/// The check of an expression before it is used, as cel-go does it: operands that no overload takes are refused. It refuses only what cannot succeed whatever the
/// event holds.
/// </summary>
internal static class CelTypes
{
    private static readonly Dictionary<string, CelType> Conversions = new()
    {
        ["size"] = CelType.Int, ["int"] = CelType.Int, ["uint"] = CelType.Uint, ["double"] = CelType.Double, ["string"] = CelType.Text, ["bytes"] = CelType.Bytes,
        ["bool"] = CelType.Bool, ["type"] = CelType.Type, ["timestamp"] = CelType.Timestamp, ["duration"] = CelType.Duration,
    };

    public static CelType Of(in CelValue literal) => literal.Kind switch
    {
        CelKind.Null => CelType.Null,
        CelKind.Bool => CelType.Bool,
        CelKind.Int => CelType.Int,
        CelKind.Uint => CelType.Uint,
        CelKind.Double => CelType.Double,
        CelKind.Text => CelType.Text,
        CelKind.Bytes => CelType.Bytes,
        // Names of types are names that an event may have too: a rule that means its field by "type" is left to the event.
        _ => CelType.Dyn,
    };

    /// <exception cref="CelException">No overload takes the operands.</exception>
    public static CelType Binary(string symbol, CelType a, CelType b, int at)
    {
        switch (symbol)
        {
            case "==" or "!=" when Meet(a, b) || (IsNumber(a) && IsNumber(b)):
                return CelType.Bool;
            case "<" or "<=" or ">" or ">=" when (Meet(a, b) && IsOrdered(a) && IsOrdered(b)) || (IsNumber(a) && IsNumber(b)):
                return CelType.Bool;
            case "in" when b is CelType.Dyn or CelType.List or CelType.Map:
                return CelType.Bool;
            case "+" when Sum(a, b) is { } sum:
                return sum;
            case "-" when Difference(a, b) is { } difference:
                return difference;
            case "*" or "/" when Meet(a, b) && (a == CelType.Dyn || IsNumber(a)) && (b == CelType.Dyn || IsNumber(b)):
                return Known(a, b);
            case "%" when Meet(a, b) && a is CelType.Dyn or CelType.Int or CelType.Uint && b is CelType.Dyn or CelType.Int or CelType.Uint:
                return Known(a, b);
        }

        throw NoOverload(symbol == "in" ? "@in" : $"_{symbol}_", at, a, b);
    }

    /// <exception cref="CelException">The operand is of a wrong type.</exception>
    public static CelType Not(CelType operand, int at) => operand is CelType.Dyn or CelType.Bool ? CelType.Bool : throw NoOverload("!_", at, operand);

    /// <exception cref="CelException">The operand is of a wrong type.</exception>
    public static CelType Negative(CelType operand, int at) => operand is CelType.Dyn or CelType.Int or CelType.Double ? operand : throw NoOverload("-_", at, operand);

    /// <exception cref="CelException">An operand is of a wrong type.</exception>
    public static CelType Logical(bool isOr, CelType a, CelType b, int at) =>
        a is CelType.Dyn or CelType.Bool && b is CelType.Dyn or CelType.Bool ? CelType.Bool : throw NoOverload(isOr ? "_||_" : "_&&_", at, a, b);

    /// <exception cref="CelException">An operand is of a wrong type.</exception>
    public static CelType Conditional(CelType condition, CelType a, CelType b, int at) =>
        condition is CelType.Dyn or CelType.Bool && Meet(a, b) ? Known(a, b) : throw NoOverload("_?_:_", at, condition, a, b);

    /// <exception cref="CelException">What is indexed, or by what, is of a wrong type.</exception>
    public static CelType Index(CelType operand, CelType index, int at) =>
        operand is CelType.Dyn or CelType.Map || (operand == CelType.List && (index == CelType.Dyn || IsNumber(index))) ? CelType.Dyn : throw NoOverload("_[_]", at, operand, index);

    /// <exception cref="CelException">What has no fields is asked for one.</exception>
    public static CelType Select(CelType operand, int at) =>
        operand is CelType.Dyn or CelType.Map ? CelType.Dyn : throw new CelException($"type '{Name(operand)}' does not support field selection", at);

    /// <exception cref="CelException">An argument is of a wrong type.</exception>
    public static CelType Call(string name, IReadOnlyList<CelType> arguments, int at)
    {
        var fits = name switch
        {
            "size" => arguments[0] is CelType.Dyn or CelType.Text or CelType.Bytes or CelType.List or CelType.Map,
            "startsWith" or "endsWith" or "contains" or "matches" => arguments.All(static a => a is CelType.Dyn or CelType.Text),
            "timestamp" => arguments[0] is CelType.Dyn or CelType.Text or CelType.Int or CelType.Timestamp,
            "duration" => arguments[0] is CelType.Dyn or CelType.Text or CelType.Int or CelType.Duration,
            "getHours" or "getMinutes" or "getSeconds" or "getMilliseconds" => arguments[0] is CelType.Dyn or CelType.Timestamp or CelType.Duration,
            _ when name.StartsWith("get", StringComparison.Ordinal) => arguments[0] is CelType.Dyn or CelType.Timestamp,
            "int" or "uint" or "double" or "bool" => arguments[0] is not (CelType.List or CelType.Map or CelType.Null or CelType.Bytes),
            "bytes" => arguments[0] is CelType.Dyn or CelType.Text or CelType.Bytes,
            "string" => arguments[0] is not (CelType.List or CelType.Map or CelType.Null),
            _ => true,
        };
        if (!fits)
            throw NoOverload(name, at, [.. arguments]);
        return Conversions.TryGetValue(name, out var type) ? type
            : name is "startsWith" or "endsWith" or "contains" or "matches" ? CelType.Bool
            : name.StartsWith("get", StringComparison.Ordinal) ? CelType.Int
            : CelType.Dyn;
    }

    /// <exception cref="CelException">What is gone through is no list or map, or the condition is no condition.</exception>
    public static CelType Comprehension(CelMacro macro, CelType range, CelType? condition, int at)
    {
        if (range is not (CelType.Dyn or CelType.List or CelType.Map))
            throw new CelException($"expression of type '{Name(range)}' cannot be range of a comprehension (must be list, map, or dynamic)", at);
        if (condition is not (null or CelType.Dyn or CelType.Bool))
            throw new CelException($"found no matching overload for '{(macro == CelMacro.Exists ? "_||_" : "_&&_")}' applied to '(bool, {Name(condition.Value)})'", at);
        return macro is CelMacro.Filter or CelMacro.Map ? CelType.List : CelType.Bool;
    }

    private static CelType? Sum(CelType a, CelType b) => (a, b) switch
    {
        (CelType.Timestamp, CelType.Duration) or (CelType.Duration, CelType.Timestamp) => CelType.Timestamp,
        (CelType.Dyn, CelType.Dyn or CelType.Timestamp or CelType.Duration) or (CelType.Timestamp, CelType.Dyn) => CelType.Dyn,
        (CelType.Duration, CelType.Dyn) => CelType.Dyn,
        (CelType.Timestamp, CelType.Timestamp) => null,
        _ when Meet(a, b) && Known(a, b) is CelType.Int or CelType.Uint or CelType.Double or CelType.Text or CelType.Bytes or CelType.List or CelType.Duration => Known(a, b),
        _ => null,
    };

    private static CelType? Difference(CelType a, CelType b) => (a, b) switch
    {
        (CelType.Timestamp, CelType.Duration) => CelType.Timestamp,
        (CelType.Timestamp, CelType.Timestamp) => CelType.Duration,
        (CelType.Dyn, CelType.Dyn or CelType.Timestamp or CelType.Duration) or (CelType.Timestamp, CelType.Dyn) => CelType.Dyn,
        _ when Meet(a, b) && Known(a, b) is CelType.Int or CelType.Uint or CelType.Double or CelType.Duration => Known(a, b),
        _ => null,
    };

    private static bool Meet(CelType a, CelType b) => a == b || a == CelType.Dyn || b == CelType.Dyn;

    private static CelType Known(CelType a, CelType b) => a == CelType.Dyn ? b : a;

    private static bool IsNumber(CelType type) => type is CelType.Int or CelType.Uint or CelType.Double;

    private static bool IsOrdered(CelType type) => type is not (CelType.Null or CelType.List or CelType.Map or CelType.Type);

    private static CelException NoOverload(string function, int at, params IEnumerable<CelType> types) =>
        new($"found no matching overload for '{function}' applied to '({string.Join(", ", types.Select(Name))})'", at);

    private static string Name(CelType type) => type switch
    {
        CelType.Text => "string",
        CelType.List => "list(dyn)",
        CelType.Map => "map(dyn, dyn)",
        CelType.Timestamp => "google.protobuf.Timestamp",
        CelType.Duration => "google.protobuf.Duration",
        _ => type.ToString().ToLowerInvariant(),
    };
}
