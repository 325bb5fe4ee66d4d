using System.Globalization;
using System.Text;

namespace DaprPlatform.Sidecar.PubSub.Cel;

internal enum CelTokenKind
{
    End,
    Name,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Symbol,
}

/// <param name="Text">As written; the content of texts.</param>
/// <param name="At">Character it begins at, from 0.</param>
internal readonly record struct CelToken(CelTokenKind Kind, string Text, int At, CelValue Value = default);

/// <summary>Cuts an expression into tokens (https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax).</summary>
internal sealed class CelLexer(string source)
{
    private static readonly string[] Symbols = ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}"];
    private int _at;

    /// <exception cref="CelException">A character or literal is not allowed.</exception>
    public List<CelToken> ReadAll()
    {
        var tokens = new List<CelToken>();
        while (true)
        {
            var token = Next();
            tokens.Add(token);
            if (token.Kind == CelTokenKind.End)
                return tokens;
        }
    }

    private CelToken Next()
    {
        SkipSpace();
        if (_at == source.Length)
            return new CelToken(CelTokenKind.End, "end of expression", _at);
        var start = _at;
        var c = source[_at];
        if (TryText(out var text))
            return text;
        if (char.IsAsciiLetter(c) || c == '_')
        {
            while (_at < source.Length && (char.IsAsciiLetterOrDigit(source[_at]) || source[_at] == '_'))
                _at++;
            return new CelToken(CelTokenKind.Name, source[start.._at], start);
        }

        if (char.IsAsciiDigit(c) || (c == '.' && _at + 1 < source.Length && char.IsAsciiDigit(source[_at + 1])))
            return Number();
        foreach (var symbol in Symbols)
        {
            if (string.CompareOrdinal(source, _at, symbol, 0, symbol.Length) == 0)
            {
                _at += symbol.Length;
                return new CelToken(CelTokenKind.Symbol, symbol, start);
            }
        }

        throw new CelException($"unexpected character '{c}'", start);
    }

    private void SkipSpace()
    {
        while (_at < source.Length)
        {
            if (char.IsWhiteSpace(source[_at]))
                _at++;
            else if (source[_at] == '/' && _at + 1 < source.Length && source[_at + 1] == '/')
                _at = source.IndexOf('\n', _at) is var end and >= 0 ? end : source.Length;
            else
                return;
        }
    }

    private CelToken Number()
    {
        var start = _at;
        if (source[_at] == '0' && _at + 1 < source.Length && source[_at + 1] is 'x' or 'X')
        {
            _at += 2;
            while (_at < source.Length && char.IsAsciiHexDigit(source[_at]))
                _at++;
            return Whole(start, source[(start + 2).._at], NumberStyles.AllowHexSpecifier);
        }

        Digits();
        var isDouble = false;
        if (_at + 1 < source.Length && source[_at] == '.' && char.IsAsciiDigit(source[_at + 1]))
        {
            isDouble = true;
            _at++;
            Digits();
        }

        if (_at < source.Length && source[_at] is 'e' or 'E')
        {
            isDouble = true;
            _at++;
            if (_at < source.Length && source[_at] is '+' or '-')
                _at++;
            Digits();
        }

        if (!isDouble)
            return Whole(start, source[start.._at], NumberStyles.None);
        return double.TryParse(source.AsSpan(start, _at - start), NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            ? new CelToken(CelTokenKind.Double, source[start.._at], start, CelValue.Of(number))
            : throw new CelException("malformed number", start);

        void Digits()
        {
            while (_at < source.Length && char.IsAsciiDigit(source[_at]))
                _at++;
        }
    }

    private CelToken Whole(int start, string digits, NumberStyles style)
    {
        if (_at < source.Length && source[_at] is 'u' or 'U')
        {
            _at++;
            return ulong.TryParse(digits, style, CultureInfo.InvariantCulture, out var unsigned)
                ? new CelToken(CelTokenKind.Uint, source[start.._at], start, CelValue.Of(unsigned))
                : throw new CelException("malformed number", start);
        }

        // 9223372036854775808 is allowed behind a minus only; the parser knows.
        if (ulong.TryParse(digits, style, CultureInfo.InvariantCulture, out var number) && number <= (ulong)long.MaxValue + 1)
            return new CelToken(CelTokenKind.Int, source[start.._at], start, CelValue.Of((long)number));
        throw new CelException("number out of range", start);
    }

    private bool TryText(out CelToken token)
    {
        var start = _at;
        var (raw, bytes, at) = (false, false, _at);
        while (at < source.Length && at - start < 2 && source[at] is 'r' or 'R' or 'b' or 'B')
        {
            raw |= source[at] is 'r' or 'R';
            bytes |= source[at] is 'b' or 'B';
            at++;
        }

        if (at == source.Length || source[at] is not ('"' or '\''))
        {
            token = default;
            return false;
        }

        var quote = source[at];
        var triple = at + 2 < source.Length && source[at + 1] == quote && source[at + 2] == quote;
        var end = triple ? new string(quote, 3) : quote.ToString();
        _at = at + end.Length;
        var content = new StringBuilder();
        var data = new List<byte>();
        while (string.CompareOrdinal(source, _at, end, 0, end.Length) != 0)
        {
            if (_at >= source.Length || (!triple && source[_at] is '\n' or '\r' && !triple))
                throw new CelException("text is not ended", start);
            if (source[_at] == '\\' && !raw)
                Escape(content, data, bytes);
            else
                Character(content, data, bytes);
        }

        _at += end.Length;
        token = bytes
            ? new CelToken(CelTokenKind.Bytes, "bytes", start, CelValue.Of(data.ToArray()))
            : new CelToken(CelTokenKind.Text, content.ToString(), start, CelValue.Of(content.ToString()));
        return true;
    }

    private void Character(StringBuilder content, List<byte> data, bool bytes)
    {
        var length = char.IsHighSurrogate(source[_at]) && _at + 1 < source.Length ? 2 : 1;
        if (bytes)
            data.AddRange(Encoding.UTF8.GetBytes(source.Substring(_at, length)));
        else
            content.Append(source, _at, length);
        _at += length;
    }

    private void Escape(StringBuilder content, List<byte> data, bool bytes)
    {
        var start = _at++;
        if (_at == source.Length)
            throw new CelException("text is not ended", start);
        var c = source[_at++];
        var simple = c switch
        {
            'a' => '\a', 'b' => '\b', 'f' => '\f', 'n' => '\n', 'r' => '\r', 't' => '\t', 'v' => '\v',
            '\\' or '\'' or '"' or '`' or '?' => c,
            _ => '\0',
        };
        if (simple != '\0')
        {
            Add(simple);
            return;
        }

        var code = c switch
        {
            'x' or 'X' => Hex(2),
            'u' when !bytes => Hex(4),
            'U' when !bytes => Hex(8),
            >= '0' and <= '3' when _at + 1 < source.Length && source[_at] is >= '0' and <= '7' && source[_at + 1] is >= '0' and <= '7' => Octal(c),
            _ => throw new CelException($"unknown escape '\\{c}'", start),
        };
        if (!bytes && !Rune.IsValid(code))
            throw new CelException("escape of no character", start);
        if (bytes)
            data.Add((byte)code);
        else
            content.Append(new Rune(code).ToString());

        void Add(char value)
        {
            if (bytes)
                data.Add((byte)value);
            else
                content.Append(value);
        }

        int Hex(int digits)
        {
            if (_at + digits > source.Length || !int.TryParse(source.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
                throw new CelException("malformed escape", start);
            _at += digits;
            return value;
        }

        int Octal(char first)
        {
            var value = ((first - '0') << 6) | ((source[_at] - '0') << 3) | (source[_at + 1] - '0');
            _at += 2;
            return value;
        }
    }
}

/// <summary>An expression is not valid; the message says where.</summary>
internal sealed class CelException(string message, int at) : Exception($"{message} (at character {at + 1})");
