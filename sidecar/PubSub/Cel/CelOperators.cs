namespace DaprPlatform.Sidecar.PubSub.Cel;

/// <summary>Operators over two values that are no errors.</summary>
internal static class CelOperators
{
    public static CelValue Apply(string symbol, in CelValue a, in CelValue b) => symbol switch
    {
        "==" => CelValue.Of(CelValue.AreEqual(a, b)),
        "!=" => CelValue.Of(!CelValue.AreEqual(a, b)),
        "<" or "<=" or ">" or ">=" => Order(symbol, a, b),
        "in" => In(a, b),
        _ => Arithmetic(symbol, a, b),
    };

    private static CelValue Order(string symbol, in CelValue a, in CelValue b)
    {
        if (CelValue.Compare(a, b) is not { } order)
            return a.Kind == CelKind.Double && b.Kind == CelKind.Double ? CelValue.Of(false) : CelValue.NoOverload;
        return CelValue.Of(symbol switch { "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 });
    }

    private static CelValue In(in CelValue item, in CelValue container)
    {
        switch (container.Kind)
        {
            case CelKind.Map:
                return CelValue.Of(container.Map.TryGet(item, out _));
            case CelKind.List:
                for (var i = 0; i < container.List.Count; i++)
                {
                    if (CelValue.AreEqual(container.List[i], item))
                        return CelValue.Of(true);
                }

                return CelValue.Of(false);
            default:
                return CelValue.NoOverload;
        }
    }

    private static CelValue Arithmetic(string symbol, in CelValue a, in CelValue b)
    {
        try
        {
            return (a.Kind, b.Kind) switch
            {
                (CelKind.Int, CelKind.Int) => Ints(symbol, a.Int, b.Int),
                (CelKind.Uint, CelKind.Uint) => Uints(symbol, a.Uint, b.Uint),
                (CelKind.Double, CelKind.Double) => symbol switch
                {
                    "+" => CelValue.Of(a.Double + b.Double),
                    "-" => CelValue.Of(a.Double - b.Double),
                    "*" => CelValue.Of(a.Double * b.Double),
                    "/" => CelValue.Of(a.Double / b.Double),
                    _ => CelValue.NoOverload,
                },
                (CelKind.Text, CelKind.Text) when symbol == "+" => CelValue.Of(a.Text + b.Text),
                (CelKind.Bytes, CelKind.Bytes) when symbol == "+" => CelValue.Of([.. a.Bytes, .. b.Bytes]),
                (CelKind.List, CelKind.List) when symbol == "+" => Concatenate(a.List, b.List),
                (CelKind.Timestamp, CelKind.Duration) when symbol == "+" => CelValue.Of(a.Timestamp + b.Duration),
                (CelKind.Timestamp, CelKind.Duration) when symbol == "-" => CelValue.Of(a.Timestamp - b.Duration),
                (CelKind.Timestamp, CelKind.Timestamp) when symbol == "-" => CelValue.Of(a.Timestamp - b.Timestamp),
                (CelKind.Duration, CelKind.Timestamp) when symbol == "+" => CelValue.Of(b.Timestamp + a.Duration),
                (CelKind.Duration, CelKind.Duration) when symbol == "+" => CelValue.Of(a.Duration + b.Duration),
                (CelKind.Duration, CelKind.Duration) when symbol == "-" => CelValue.Of(a.Duration - b.Duration),
                _ => CelValue.NoOverload,
            };
        }
        catch (Exception e) when (e is OverflowException or ArgumentOutOfRangeException)
        {
            return CelValue.Error("integer overflow");
        }
    }

    private static CelValue Ints(string symbol, long a, long b) => symbol switch
    {
        "+" => CelValue.Of(checked(a + b)),
        "-" => CelValue.Of(checked(a - b)),
        "*" => CelValue.Of(checked(a * b)),
        "/" => b == 0 ? CelValue.Error("division by zero") : CelValue.Of(checked(a / b)),
        "%" => b == 0 ? CelValue.Error("modulus by zero") : CelValue.Of(b == -1 ? 0L : a % b),
        _ => CelValue.NoOverload,
    };

    private static CelValue Uints(string symbol, ulong a, ulong b) => symbol switch
    {
        "+" => CelValue.Of(checked(a + b)),
        "-" => CelValue.Of(checked(a - b)),
        "*" => CelValue.Of(checked(a * b)),
        "/" => b == 0 ? CelValue.Error("division by zero") : CelValue.Of(a / b),
        "%" => b == 0 ? CelValue.Error("modulus by zero") : CelValue.Of(a % b),
        _ => CelValue.NoOverload,
    };

    private static CelValue Concatenate(ICelList a, ICelList b)
    {
        var all = new CelValue[a.Count + b.Count];
        for (var i = 0; i < all.Length; i++)
            all[i] = i < a.Count ? a[i] : b[i - a.Count];
        return CelValue.Of(new CelList(all));
    }
}
