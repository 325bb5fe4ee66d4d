namespace DaprPlatform.Sidecar.PubSub.Cel;

/// <summary>Reads an expression by recursive descent, one method a level of precedence. Names are resolved here: an unknown function is an error.</summary>
internal sealed class CelParser
{
    private const int DeepestNesting = 250;
    private static readonly Dictionary<string, CelMacro> Macros = new()
    {
        ["all"] = CelMacro.All, ["exists"] = CelMacro.Exists, ["exists_one"] = CelMacro.ExistsOne, ["filter"] = CelMacro.Filter, ["map"] = CelMacro.Map,
    };

    private static readonly HashSet<string> Types = ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"];
    private readonly List<CelToken> _tokens;
    private readonly List<(string Name, int Slot)> _scope = [];
    private int _at;
    private int _depth;

    private CelParser(string source, IReadOnlyList<string> variables)
    {
        _tokens = new CelLexer(source).ReadAll();
        foreach (var name in variables)
            _scope.Add((name, Slots++));
    }

    /// <summary>Variables of the expression and of its macros.</summary>
    private int Slots { get; set; }

    /// <exception cref="CelException">The expression is not valid.</exception>
    public static (CelNode Root, int Slots) Parse(string source, IReadOnlyList<string> variables)
    {
        var parser = new CelParser(source, variables);
        var root = parser.Expression();
        if (parser.Current.Kind != CelTokenKind.End)
            throw parser.Unexpected();
        return (root, parser.Slots);
    }

    private CelToken Current => _tokens[_at];

    private CelNode Expression()
    {
        if (++_depth > DeepestNesting)
            throw new CelException("expression is nested too deeply", Current.At);
        var condition = Or();
        var at = Current.At;
        if (TrySymbol("?"))
        {
            var whenTrue = Or();
            Require(":");
            var whenFalse = Expression();
            condition = new CelConditional(condition, whenTrue, whenFalse) { Type = CelTypes.Conditional(condition.Type, whenTrue.Type, whenFalse.Type, at) };
        }

        _depth--;
        return condition;
    }

    private CelNode Or()
    {
        var left = And();
        for (var at = Current.At; TrySymbol("||"); at = Current.At)
            left = Logical(isOr: true, left, And(), at);
        return left;
    }

    private CelNode And()
    {
        var left = Relation();
        for (var at = Current.At; TrySymbol("&&"); at = Current.At)
            left = Logical(isOr: false, left, Relation(), at);
        return left;
    }

    private static CelLogical Logical(bool isOr, CelNode left, CelNode right, int at) => new(isOr, left, right) { Type = CelTypes.Logical(isOr, left.Type, right.Type, at) };

    private static CelBinary Binary(CelToken symbol, CelNode left, CelNode right) => new(symbol.Text, left, right) { Type = CelTypes.Binary(symbol.Text, left.Type, right.Type, symbol.At) };

    private static CelLiteral Literal(CelValue value) => new(value) { Type = CelTypes.Of(value) };

    private CelNode Relation()
    {
        var left = Sum();
        while (true)
        {
            if (Current is { Kind: CelTokenKind.Symbol, Text: "==" or "!=" or "<" or "<=" or ">" or ">=" } or { Kind: CelTokenKind.Name, Text: "in" })
                left = Binary(_tokens[_at++], left, Sum());
            else
                return left;
        }
    }

    private CelNode Sum()
    {
        var left = Product();
        while (Current is { Kind: CelTokenKind.Symbol, Text: "+" or "-" })
            left = Binary(_tokens[_at++], left, Product());
        return left;
    }

    private CelNode Product()
    {
        var left = Unary();
        while (Current is { Kind: CelTokenKind.Symbol, Text: "*" or "/" or "%" })
            left = Binary(_tokens[_at++], left, Unary());
        return left;
    }

    private CelNode Unary()
    {
        var at = Current.At;
        if (TrySymbol("!"))
        {
            return Nested(() =>
            {
                var operand = Unary();
                return new CelUnary(isNot: true, operand) { Type = CelTypes.Not(operand.Type, at) };
            });
        }

        if (!TrySymbol("-"))
            return Member();
        if (Current.Kind == CelTokenKind.Int)
        {
            var number = _tokens[_at++].Value.Int;
            return Suffixes(Literal(CelValue.Of(number == long.MinValue ? number : -number)));
        }

        return Nested(() =>
        {
            var operand = Unary();
            return new CelUnary(isNot: false, operand) { Type = CelTypes.Negative(operand.Type, at) };
        });
    }

    private CelNode Nested(Func<CelNode> read)
    {
        if (++_depth > DeepestNesting)
            throw new CelException("expression is nested too deeply", Current.At);
        var node = read();
        _depth--;
        return node;
    }

    private CelNode Member() => Suffixes(Primary());

    private CelNode Suffixes(CelNode operand)
    {
        while (true)
        {
            var at = Current.At;
            if (TrySymbol("["))
            {
                var index = Expression();
                operand = new CelIndex(operand, index) { Type = CelTypes.Index(operand.Type, index.Type, at) };
                Require("]");
            }
            else if (TrySymbol("."))
            {
                var name = Name();
                operand = TrySymbol("(") ? MemberCall(operand, name) : new CelSelect(operand, name.Text) { Type = CelTypes.Select(operand.Type, at) };
            }
            else
            {
                return operand;
            }
        }
    }

    private CelNode MemberCall(CelNode operand, CelToken name)
    {
        if (Macros.TryGetValue(name.Text, out var macro) && Current.Kind == CelTokenKind.Name && _tokens[_at + 1] is { Kind: CelTokenKind.Symbol, Text: "," })
            return Comprehension(operand, macro, name.At);
        var arguments = Arguments();
        if (name.Text == "matches" && arguments.Length == 1)
            return Matches(operand, arguments[0], name.At);
        return Call(name, [operand, .. arguments], isMember: true);
    }

    private static CelMatches Matches(CelNode text, CelNode pattern, int at) => new(text, pattern, at) { Type = CelTypes.Call("matches", [text.Type, pattern.Type], at) };

    private static CelCall Call(CelToken name, CelNode[] arguments, bool isMember)
    {
        var function = CelFunctions.Find(name.Text, arguments.Length, isMember) ?? throw new CelException($"undeclared reference to '{name.Text}' (in container '')", name.At);
        return new CelCall(function, arguments) { Type = CelTypes.Call(name.Text, [.. arguments.Select(static a => a.Type)], name.At) };
    }

    private CelComprehension Comprehension(CelNode range, CelMacro macro, int at)
    {
        var variable = Name();
        Require(",");
        var slot = Slots++;
        _scope.Add((variable.Text, slot));
        var first = Expression();
        var second = macro == CelMacro.Map && TrySymbol(",") ? Expression() : null;
        Require(")");
        _scope.RemoveAt(_scope.Count - 1);
        var (condition, transform) = macro != CelMacro.Map ? (first, null) : second is null ? (null, first) : (first, second);
        return new CelComprehension(macro, range, slot, condition, transform) { Type = CelTypes.Comprehension(macro, range.Type, condition?.Type, at) };
    }

    private CelNode Primary()
    {
        var token = Current;
        switch (token.Kind)
        {
            case CelTokenKind.Int when token.Value.Int == long.MinValue:
                throw new CelException("number out of range", token.At);
            case CelTokenKind.Int or CelTokenKind.Uint or CelTokenKind.Double or CelTokenKind.Text or CelTokenKind.Bytes:
                _at++;
                return Literal(token.Value);
            case CelTokenKind.Name:
                return Identifier();
        }

        if (TrySymbol("("))
        {
            var inner = Expression();
            Require(")");
            return inner;
        }

        if (TrySymbol("["))
            return new CelMakeList(Sequence("]", Expression)) { Type = CelType.List };
        if (TrySymbol("{"))
        {
            return new CelMakeMap(Sequence("}", () =>
            {
                var key = Expression();
                Require(":");
                return (key, Expression());
            })) { Type = CelType.Map };
        }

        // A leading dot means a name from the outermost scope; there is only one.
        if (TrySymbol(".") && Current.Kind == CelTokenKind.Name)
            return Identifier();
        throw Unexpected();
    }

    private CelNode Identifier()
    {
        var name = _tokens[_at++];
        switch (name.Text)
        {
            case "true" or "false":
                return Literal(CelValue.Of(name.Text == "true"));
            case "null":
                return Literal(CelValue.Null);
            case "in":
                _at--;
                throw Unexpected();
        }

        if (TrySymbol("("))
            return GlobalCall(name);
        for (var i = _scope.Count - 1; i >= 0; i--)
        {
            if (_scope[i].Name == name.Text)
                return new CelVariable(_scope[i].Slot);
        }

        if (Types.Contains(name.Text))
            return Literal(CelValue.TypeNamed(name.Text));
        // daprd declares whatever variable a rule names: the rule is valid, its value an error.
        return new CelLiteral(CelValue.Error($"no such attribute: {name.Text}"));
    }

    private CelNode GlobalCall(CelToken name)
    {
        var arguments = Arguments();
        if (name.Text == "has")
            return arguments is [CelSelect select] ? new CelHas(select) { Type = CelType.Bool } : throw new CelException("invalid argument to has() macro", name.At);
        if (name.Text == "matches" && arguments.Length == 2)
            return Matches(arguments[0], arguments[1], name.At);
        return Call(name, arguments, isMember: false);
    }

    private CelNode[] Arguments() => Sequence(")", Expression);

    // Items with commas between, up to a closing symbol; one comma more is allowed in lists and maps.
    private T[] Sequence<T>(string end, Func<T> item)
    {
        var items = new List<T>();
        while (!TrySymbol(end))
        {
            items.Add(item());
            if (!TrySymbol(","))
            {
                Require(end);
                break;
            }

            if (end == ")" && Current is { Kind: CelTokenKind.Symbol, Text: ")" })
                throw Unexpected();
        }

        return [.. items];
    }

    private CelToken Name() => Current.Kind == CelTokenKind.Name ? _tokens[_at++] : throw Unexpected();

    private bool TrySymbol(string symbol)
    {
        if (Current.Kind != CelTokenKind.Symbol || Current.Text != symbol)
            return false;
        _at++;
        return true;
    }

    private void Require(string symbol)
    {
        if (!TrySymbol(symbol))
            throw Unexpected();
    }

    private CelException Unexpected() => new($"Syntax error: unexpected '{Current.Text}'", Current.At);
}
