namespace DaprPlatform.Sidecar.Http;

/// <summary>What Go's encoding/json says of a text that is no JSON. Callers of daprd see these words in its answers.</summary>
internal static class GoSyntax
{
    private enum Expected
    {
        Value,
        ValueOrEnd,
        Name,
        NameOrEnd,
        Colon,
        CommaOrEnd,
    }

    /// <summary>The first fault of the first JSON text, as a decoder of a stream tells it: what follows that text is not looked at. Null when there is none.</summary>
    public static string? Fault(ReadOnlySpan<byte> json)
    {
        var scan = new Scan(json);
        return scan.Fault();
    }

    private static string Invalid(byte c, string context) => $"invalid character {Quoted(c)} {context}";

    private static string Quoted(byte c) => c switch
    {
        (byte)'\'' => @"'\''",
        (byte)'\\' => @"'\\'",
        (byte)'\a' => @"'\a'",
        (byte)'\b' => @"'\b'",
        (byte)'\f' => @"'\f'",
        (byte)'\n' => @"'\n'",
        (byte)'\r' => @"'\r'",
        (byte)'\t' => @"'\t'",
        (byte)'\v' => @"'\v'",
        < 0x20 or 0x7F => $@"'\x{c:x2}'",
        // A byte, not the character it is a part of.
        (>= 0x80 and <= 0xA0) or 0xAD => $@"'\u00{c:x2}'",
        _ => $"'{(char)c}'",
    };

    private ref struct Scan(ReadOnlySpan<byte> json)
    {
        private const string Cut = "unexpected EOF";
        private readonly ReadOnlySpan<byte> _json = json;
        // What is open around the value: true is an object.
        private readonly Stack<bool> _open = [];
        private int _at;

        public string? Fault()
        {
            var expected = Expected.Value;
            while (true)
            {
                while (_at < _json.Length && _json[_at] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
                    _at++;
                if (_at == _json.Length)
                    return _open.Count == 0 ? "EOF" : Cut;
                var c = _json[_at];
                switch (expected, c)
                {
                    case (Expected.ValueOrEnd, (byte)']') or (Expected.NameOrEnd, (byte)'}'):
                    case (Expected.CommaOrEnd, (byte)'}') when _open.Peek():
                    case (Expected.CommaOrEnd, (byte)']') when !_open.Peek():
                        _at++;
                        _open.Pop();
                        break;
                    case (Expected.CommaOrEnd, (byte)','):
                        _at++;
                        expected = _open.Peek() ? Expected.Name : Expected.Value;
                        continue;
                    case (Expected.CommaOrEnd, _):
                        return Invalid(c, _open.Peek() ? "after object key:value pair" : "after array element");
                    case (Expected.Colon, (byte)':'):
                        _at++;
                        expected = Expected.Value;
                        continue;
                    case (Expected.Colon, _):
                        return Invalid(c, "after object key");
                    case (Expected.Name or Expected.NameOrEnd, (byte)'"'):
                        if (Text() is { } faultOfName)
                            return faultOfName;
                        expected = Expected.Colon;
                        continue;
                    case (Expected.Name or Expected.NameOrEnd, _):
                        return Invalid(c, "looking for beginning of object key string");
                    case (_, (byte)'{' or (byte)'['):
                        _at++;
                        _open.Push(c == '{');
                        expected = c == '{' ? Expected.NameOrEnd : Expected.ValueOrEnd;
                        continue;
                    default:
                        if (Scalar(c) is { } fault)
                            return fault;
                        break;
                }

                if (_open.Count == 0)
                    return null;
                expected = Expected.CommaOrEnd;
            }
        }

        private string? Scalar(byte c) => c switch
        {
            (byte)'"' => Text(),
            (byte)'t' => Word("true"),
            (byte)'f' => Word("false"),
            (byte)'n' => Word("null"),
            (byte)'-' or (>= (byte)'0' and <= (byte)'9') => Number(),
            _ => Invalid(c, "looking for beginning of value"),
        };

        private string? Text()
        {
            for (_at++; _at < _json.Length; _at++)
            {
                var c = _json[_at];
                if (c == '"')
                {
                    _at++;
                    return null;
                }

                if (c < 0x20)
                    return Invalid(c, "in string literal");
                if (c == '\\' && Escape() is { } fault)
                    return fault;
            }

            return Cut;
        }

        // Stays on its last byte.
        private string? Escape()
        {
            if (++_at == _json.Length)
                return Cut;
            var c = _json[_at];
            if (c != 'u')
                return "bfnrt\\/\""u8.Contains(c) ? null : Invalid(c, "in string escape code");
            for (var digits = 0; digits < 4; digits++)
            {
                if (++_at == _json.Length)
                    return Cut;
                if (!char.IsAsciiHexDigit((char)_json[_at]))
                    return Invalid(_json[_at], @"in \u hexadecimal character escape");
            }

            return null;
        }

        private string? Word(string word)
        {
            for (var i = 1; i < word.Length; i++)
            {
                if (++_at == _json.Length)
                    return Cut;
                if (_json[_at] != word[i])
                    return Invalid(_json[_at], $"in literal {word} (expecting '{word[i]}')");
            }

            _at++;
            return null;
        }

        private string? Number()
        {
            if (_json[_at] == '-')
                _at++;
            if (_at < _json.Length && _json[_at] == '0')
                _at++;
            else if (Digits("in numeric literal") is { } fault)
                return fault;
            if (_at < _json.Length && _json[_at] == '.')
            {
                _at++;
                if (Digits("after decimal point in numeric literal") is { } fault)
                    return fault;
            }

            if (_at == _json.Length || _json[_at] is not ((byte)'e' or (byte)'E'))
                return null;
            _at++;
            if (_at < _json.Length && _json[_at] is (byte)'+' or (byte)'-')
                _at++;
            return Digits("in exponent of numeric literal");
        }

        // One at least.
        private string? Digits(string context)
        {
            if (_at == _json.Length)
                return Cut;
            if (!char.IsAsciiDigit((char)_json[_at]))
                return Invalid(_json[_at], context);
            while (_at < _json.Length && char.IsAsciiDigit((char)_json[_at]))
                _at++;
            return null;
        }
    }
}
