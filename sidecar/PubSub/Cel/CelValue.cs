using System.Globalization;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Http;

namespace DaprPlatform.Sidecar.PubSub.Cel;

internal enum CelKind : byte
{
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
    Error,
}

/// <summary>A value of the Common Expression Language (https://github.com/google/cel-spec). An error is a value too: <c>true || error</c> is true.</summary>
internal readonly struct CelValue
{
    private readonly long _bits;
    private readonly object? _object;

    private CelValue(CelKind kind, long bits, object? value = null)
    {
        Kind = kind;
        _bits = bits;
        _object = value;
    }

    public CelKind Kind { get; }

    public bool IsError => Kind == CelKind.Error;

    public bool IsTrue => Kind == CelKind.Bool && _bits != 0;

    public long Int => _bits;

    public ulong Uint => (ulong)_bits;

    public double Double => BitConverter.Int64BitsToDouble(_bits);

    /// <summary>The text, the name of a type, or the message of an error.</summary>
    public string Text => (string)_object!;

    public byte[] Bytes => (byte[])_object!;

    public ICelList List => (ICelList)_object!;

    public ICelMap Map => (ICelMap)_object!;

    public DateTimeOffset Timestamp => new(_bits, TimeSpan.Zero);

    public TimeSpan Duration => new(_bits);

    public static CelValue Null => default;

    public static CelValue Of(bool value) => new(CelKind.Bool, value ? 1 : 0);

    public static CelValue Of(long value) => new(CelKind.Int, value);

    public static CelValue Of(ulong value) => new(CelKind.Uint, (long)value);

    public static CelValue Of(double value) => new(CelKind.Double, BitConverter.DoubleToInt64Bits(value));

    public static CelValue Of(string value) => new(CelKind.Text, 0, value);

    public static CelValue Of(byte[] value) => new(CelKind.Bytes, 0, value);

    public static CelValue Of(ICelList value) => new(CelKind.List, 0, value);

    public static CelValue Of(ICelMap value) => new(CelKind.Map, 0, value);

    public static CelValue Of(DateTimeOffset value) => new(CelKind.Timestamp, value.UtcTicks);

    public static CelValue Of(TimeSpan value) => new(CelKind.Duration, value.Ticks);

    public static CelValue TypeNamed(string name) => new(CelKind.Type, 0, name);

    public static CelValue Error(string message) => new(CelKind.Error, 0, message);

    public static CelValue NoOverload => Error("no such overload");

    /// <summary>JSON as CEL sees it: numbers are doubles.</summary>
    public static CelValue Of(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.True => Of(true),
        JsonValueKind.False => Of(false),
        JsonValueKind.Number => json.TryGetDouble(out var number) ? Of(number) : Error("number out of range"),
        JsonValueKind.String => Of(TextOf(json)),
        JsonValueKind.Array => Of(new JsonList(json)),
        JsonValueKind.Object => Of(new JsonMap(json)),
        _ => Null,
    };

    // Half a character of two, which JSON may escape, is no text to .NET: it counts as U+FFFD, as in Go.
    private static string TextOf(JsonElement json)
    {
        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException)
        {
            var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json.GetRawText()));
            reader.Read();
            return GoJson.Text(ref reader);
        }
    }

    public string TypeName => Kind switch
    {
        CelKind.Null => "null_type",
        CelKind.Bool => "bool",
        CelKind.Int => "int",
        CelKind.Uint => "uint",
        CelKind.Double => "double",
        CelKind.Text => "string",
        CelKind.Bytes => "bytes",
        CelKind.List => "list",
        CelKind.Map => "map",
        CelKind.Timestamp => "google.protobuf.Timestamp",
        CelKind.Duration => "google.protobuf.Duration",
        _ => "type",
    };

    private bool IsNumber => Kind is CelKind.Int or CelKind.Uint or CelKind.Double;

    /// <summary>Numbers compare across their types; values of other different types are not equal.</summary>
    public static bool AreEqual(in CelValue left, in CelValue right)
    {
        if (left.IsNumber && right.IsNumber)
            return CompareNumbers(left, right) == 0;
        if (left.Kind != right.Kind)
            return false;
        switch (left.Kind)
        {
            case CelKind.Text or CelKind.Type:
                return left.Text == right.Text;
            case CelKind.Bytes:
                return left.Bytes.AsSpan().SequenceEqual(right.Bytes);
            case CelKind.List:
                if (left.List.Count != right.List.Count)
                    return false;
                for (var i = 0; i < left.List.Count; i++)
                {
                    if (!AreEqual(left.List[i], right.List[i]))
                        return false;
                }

                return true;
            case CelKind.Map:
                if (left.Map.Count != right.Map.Count)
                    return false;
                foreach (var key in left.Map.Keys)
                {
                    if (!right.Map.TryGet(key, out var other) || !left.Map.TryGet(key, out var own) || !AreEqual(own, other))
                        return false;
                }

                return true;
            default:
                return left._bits == right._bits;
        }
    }

    /// <summary>Null where the types have no order together, or one is no number.</summary>
    public static int? Compare(in CelValue left, in CelValue right)
    {
        if (left.IsNumber && right.IsNumber)
            return CompareNumbers(left, right);
        if (left.Kind != right.Kind)
            return null;
        return left.Kind switch
        {
            CelKind.Text => string.CompareOrdinal(left.Text, right.Text),
            CelKind.Bytes => left.Bytes.AsSpan().SequenceCompareTo(right.Bytes),
            CelKind.Bool or CelKind.Timestamp or CelKind.Duration => left._bits.CompareTo(right._bits),
            _ => null,
        };
    }

    private static int? CompareNumbers(in CelValue left, in CelValue right)
    {
        if (left.Kind == right.Kind)
        {
            return left.Kind switch
            {
                CelKind.Int => left.Int.CompareTo(right.Int),
                CelKind.Uint => left.Uint.CompareTo(right.Uint),
                _ => double.IsNaN(left.Double) || double.IsNaN(right.Double) ? null : left.Double.CompareTo(right.Double),
            };
        }

        if (left.Kind == CelKind.Double || right.Kind == CelKind.Double)
        {
            var (a, b) = (left.AsDouble, right.AsDouble);
            return double.IsNaN(a) || double.IsNaN(b) ? null : a.CompareTo(b);
        }

        // One is signed, the other is not.
        if (left.Kind == CelKind.Int)
            return left.Int < 0 ? -1 : ((ulong)left.Int).CompareTo(right.Uint);
        return right.Int < 0 ? 1 : left.Uint.CompareTo((ulong)right.Int);
    }

    private double AsDouble => Kind switch { CelKind.Int => Int, CelKind.Uint => Uint, _ => Double };

    /// <summary>A double as Go's <c>%g</c> writes it.</summary>
    public static string Format(double value)
    {
        if (double.IsNaN(value))
            return "NaN";
        if (double.IsInfinity(value))
            return value > 0 ? "+Inf" : "-Inf";
        if (value == 0)
            return double.IsNegative(value) ? "-0" : "0";
        var exponent = (int)Math.Floor(Math.Log10(Math.Abs(value)));
        if (exponent is >= -5 and <= 21)
        {
            // The logarithm may be off by one next to a power of ten; the digits tell.
            var scientific = value.ToString("E16", CultureInfo.InvariantCulture);
            exponent = int.Parse(scientific.AsSpan(scientific.IndexOf('E', StringComparison.Ordinal) + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        }

        if (exponent is >= -4 and < 21)
            return decimal.TryParse(value.ToString("R", CultureInfo.InvariantCulture), NumberStyles.Float, CultureInfo.InvariantCulture, out var exact) ? exact.ToString(CultureInfo.InvariantCulture) : value.ToString("F0", CultureInfo.InvariantCulture);
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        if (!text.Contains('E', StringComparison.Ordinal))
            text = value.ToString("0.################E+0", CultureInfo.InvariantCulture);
        var at = text.IndexOf('E', StringComparison.Ordinal);
        var digits = text[(at + 1)..].TrimStart('+', '-').PadLeft(2, '0');
        return $"{text[..at]}e{(text[at + 1] == '-' ? '-' : '+')}{digits}";
    }

    private sealed class JsonList(JsonElement json) : ICelList
    {
        public int Count => json.GetArrayLength();

        public CelValue this[int index] => Of(json[index]);
    }

    private sealed class JsonMap(JsonElement json) : ICelMap
    {
        public int Count => json.EnumerateObject().Count();

        public IEnumerable<CelValue> Keys => json.EnumerateObject().Select(p => Of(p.Name));

        public bool TryGet(in CelValue key, out CelValue value)
        {
            if (key.Kind == CelKind.Text && json.TryGetProperty(key.Text, out var found))
            {
                value = Of(found);
                return true;
            }

            value = default;
            return false;
        }
    }
}

internal interface ICelList
{
    int Count { get; }

    CelValue this[int index] { get; }
}

internal interface ICelMap
{
    int Count { get; }

    IEnumerable<CelValue> Keys { get; }

    bool TryGet(in CelValue key, out CelValue value);
}

internal sealed class CelList(IReadOnlyList<CelValue> items) : ICelList
{
    public int Count => items.Count;

    public CelValue this[int index] => items[index];
}

/// <summary>A map of few entries, in the order of writing.</summary>
internal sealed class CelMap(IReadOnlyList<(CelValue Key, CelValue Value)> entries) : ICelMap
{
    public int Count => entries.Count;

    public IEnumerable<CelValue> Keys => entries.Select(e => e.Key);

    public bool TryGet(in CelValue key, out CelValue value)
    {
        foreach (var entry in entries)
        {
            if (CelValue.AreEqual(entry.Key, key))
            {
                value = entry.Value;
                return true;
            }
        }

        value = default;
        return false;
    }
}
