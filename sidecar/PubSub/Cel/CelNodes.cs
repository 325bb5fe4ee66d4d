using System.Text.RegularExpressions;

namespace DaprPlatform.Sidecar.PubSub.Cel;

/// <summary>Part of a compiled expression. Variables are found by their slot.</summary>
internal abstract class CelNode
{
    /// <summary>What is known of the value beforehand.</summary>
    public CelType Type { get; init; }

    public abstract CelValue Evaluate(CelValue[] slots);
}

internal sealed class CelLiteral(CelValue value) : CelNode
{
    public CelValue Value => value;

    public override CelValue Evaluate(CelValue[] slots) => value;
}

internal sealed class CelVariable(int slot) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots) => slots[slot];
}

internal sealed class CelSelect(CelNode operand, string name) : CelNode
{
    private readonly CelValue _key = CelValue.Of(name);

    public CelNode Operand => operand;

    public string Field => name;

    public override CelValue Evaluate(CelValue[] slots)
    {
        var value = operand.Evaluate(slots);
        if (value.IsError)
            return value;
        if (value.Kind != CelKind.Map)
            return CelValue.NoOverload;
        return value.Map.TryGet(_key, out var found) ? found : CelValue.Error($"no such key: {name}");
    }
}

/// <summary><c>has(a.b)</c>: an error where <c>a</c> is one, false where it has no fields.</summary>
internal sealed class CelHas(CelSelect select) : CelNode
{
    private readonly CelValue _key = CelValue.Of(select.Field);

    public override CelValue Evaluate(CelValue[] slots)
    {
        var value = select.Operand.Evaluate(slots);
        return value.IsError ? value : CelValue.Of(value.Kind == CelKind.Map && value.Map.TryGet(_key, out _));
    }
}

internal sealed class CelIndex(CelNode operand, CelNode index) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots)
    {
        var value = operand.Evaluate(slots);
        if (value.IsError)
            return value;
        var key = index.Evaluate(slots);
        if (key.IsError)
            return key;
        switch (value.Kind)
        {
            case CelKind.Map:
                return value.Map.TryGet(key, out var found) ? found : CelValue.Error("no such key");
            case CelKind.List:
                var at = key.Kind switch
                {
                    CelKind.Int => key.Int,
                    CelKind.Uint when key.Uint <= long.MaxValue => (long)key.Uint,
                    CelKind.Double when key.Double == Math.Floor(key.Double) => (long)key.Double,
                    _ => -1,
                };
                return at >= 0 && at < value.List.Count ? value.List[(int)at] : CelValue.Error("index out of bounds");
            default:
                return CelValue.NoOverload;
        }
    }
}

internal sealed class CelMakeList(CelNode[] items) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots)
    {
        var values = new CelValue[items.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = items[i].Evaluate(slots);
            if (values[i].IsError)
                return values[i];
        }

        return CelValue.Of(new CelList(values));
    }
}

internal sealed class CelMakeMap((CelNode Key, CelNode Value)[] entries) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots)
    {
        var values = new List<(CelValue, CelValue)>(entries.Length);
        foreach (var (key, value) in entries)
        {
            var (k, v) = (key.Evaluate(slots), value.Evaluate(slots));
            if (k.IsError)
                return k;
            if (v.IsError)
                return v;
            if (k.Kind is not (CelKind.Text or CelKind.Int or CelKind.Uint or CelKind.Bool))
                return CelValue.Error("unsupported key type");
            values.Add((k, v));
        }

        return CelValue.Of(new CelMap(values));
    }
}

internal sealed class CelConditional(CelNode condition, CelNode whenTrue, CelNode whenFalse) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots)
    {
        var value = condition.Evaluate(slots);
        if (value.IsError)
            return value;
        if (value.Kind != CelKind.Bool)
            return CelValue.NoOverload;
        return (value.IsTrue ? whenTrue : whenFalse).Evaluate(slots);
    }
}

/// <summary><c>&amp;&amp;</c> and <c>||</c>: the side that decides wins over an error of the other, whichever comes first.</summary>
internal sealed class CelLogical(bool isOr, CelNode left, CelNode right) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots)
    {
        var first = left.Evaluate(slots);
        if (Decides(first))
            return first;
        var second = right.Evaluate(slots);
        if (Decides(second))
            return second;
        if (first.IsError)
            return first;
        if (second.IsError)
            return second;
        return first.Kind == CelKind.Bool && second.Kind == CelKind.Bool ? second : CelValue.NoOverload;
    }

    private bool Decides(in CelValue value) => value.Kind == CelKind.Bool && value.IsTrue == isOr;
}

internal sealed class CelCall(Func<CelValue[], CelValue> function, CelNode[] arguments) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots)
    {
        var values = new CelValue[arguments.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = arguments[i].Evaluate(slots);
            if (values[i].IsError)
                return values[i];
        }

        return function(values);
    }
}

internal sealed class CelUnary(bool isNot, CelNode operand) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots)
    {
        var value = operand.Evaluate(slots);
        return value.Kind switch
        {
            CelKind.Error => value,
            CelKind.Bool when isNot => CelValue.Of(!value.IsTrue),
            CelKind.Int when !isNot => value.Int == long.MinValue ? CelValue.Error("integer overflow") : CelValue.Of(-value.Int),
            CelKind.Double when !isNot => CelValue.Of(-value.Double),
            _ => CelValue.NoOverload,
        };
    }
}

internal sealed class CelBinary(string symbol, CelNode left, CelNode right) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots)
    {
        var a = left.Evaluate(slots);
        if (a.IsError)
            return a;
        var b = right.Evaluate(slots);
        return b.IsError ? b : CelOperators.Apply(symbol, a, b);
    }
}

/// <summary><c>text.matches(pattern)</c>; a literal pattern is compiled once.</summary>
internal sealed class CelMatches : CelNode
{
    private const RegexOptions Options = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant;
    private readonly CelNode _text;
    private readonly CelNode _pattern;
    private readonly Regex? _compiled;

    /// <exception cref="CelException">A literal pattern is malformed.</exception>
    public CelMatches(CelNode text, CelNode pattern, int at)
    {
        _text = text;
        _pattern = pattern;
        if (pattern is not CelLiteral { Value.Kind: CelKind.Text } literal)
            return;
        try
        {
            _compiled = Compile(literal.Value.Text);
        }
        catch (ArgumentException e)
        {
            throw new CelException(e.Message, at);
        }
    }

    public override CelValue Evaluate(CelValue[] slots)
    {
        var text = _text.Evaluate(slots);
        if (text.IsError)
            return text;
        var pattern = _pattern.Evaluate(slots);
        if (pattern.IsError)
            return pattern;
        if (text.Kind != CelKind.Text || pattern.Kind != CelKind.Text)
            return CelValue.NoOverload;
        try
        {
            return CelValue.Of((_compiled ?? Compile(pattern.Text)).IsMatch(text.Text));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return CelValue.Error(e.Message);
        }
    }

    // RE2 names groups with a P.
    private static Regex Compile(string pattern)
    {
        try
        {
            return new Regex(pattern.Replace("(?P<", "(?<", StringComparison.Ordinal), Options);
        }
        catch (NotSupportedException e)
        {
            throw new ArgumentException(e.Message, nameof(pattern), e);
        }
    }
}

internal enum CelMacro
{
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

/// <summary><c>list.all(x, …)</c> and its kin; over a map they go through its keys.</summary>
internal sealed class CelComprehension(CelMacro macro, CelNode range, int slot, CelNode? condition, CelNode? transform) : CelNode
{
    public override CelValue Evaluate(CelValue[] slots)
    {
        var over = range.Evaluate(slots);
        if (over.IsError)
            return over;
        var items = over.Kind switch
        {
            CelKind.List => Enumerate(over.List),
            CelKind.Map => over.Map.Keys,
            _ => null,
        };
        if (items is null)
            return CelValue.NoOverload;

        CelValue? error = null;
        var count = 0;
        var results = macro is CelMacro.Filter or CelMacro.Map ? new List<CelValue>() : null;
        foreach (var item in items)
        {
            slots[slot] = item;
            var holds = condition?.Evaluate(slots) ?? CelValue.Of(true);
            if (!holds.IsError && holds.Kind != CelKind.Bool)
                holds = CelValue.NoOverload;
            switch (macro)
            {
                case CelMacro.All when holds.Kind == CelKind.Bool && !holds.IsTrue:
                    return CelValue.Of(false);
                case CelMacro.Exists when holds.IsTrue:
                    return CelValue.Of(true);
                case CelMacro.All or CelMacro.Exists:
                    if (holds.IsError)
                        error ??= holds;
                    break;
                default:
                    if (holds.IsError)
                        return holds;
                    if (!holds.IsTrue)
                        break;
                    count++;
                    if (results is null)
                        break;
                    var result = macro == CelMacro.Filter ? item : transform!.Evaluate(slots);
                    if (result.IsError)
                        return result;
                    results.Add(result);
                    break;
            }
        }

        return macro switch
        {
            CelMacro.All => error ?? CelValue.Of(true),
            CelMacro.Exists => error ?? CelValue.Of(false),
            CelMacro.ExistsOne => CelValue.Of(count == 1),
            _ => CelValue.Of(new CelList(results!)),
        };
    }

    private static IEnumerable<CelValue> Enumerate(ICelList list)
    {
        for (var i = 0; i < list.Count; i++)
            yield return list[i];
    }
}
