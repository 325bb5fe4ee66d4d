using System.Text;
using DaprPlatform.Sidecar.Http;

namespace DaprPlatform.Sidecar.State.Tests;

public sealed class GoSyntaxTests
{
    [Theory]
    [InlineData("", "EOF")]
    [InlineData(" \n", "EOF")]
    [InlineData("{", "unexpected EOF")]
    [InlineData("""{"a":""", "unexpected EOF")]
    [InlineData("""["a\u00""", "unexpected EOF")]
    [InlineData("tru", "unexpected EOF")]
    [InlineData("-", "unexpected EOF")]
    [InlineData("1.", "unexpected EOF")]
    [InlineData("1e+", "unexpected EOF")]
    [InlineData("hello", "invalid character 'h' looking for beginning of value")]
    [InlineData("'a'", @"invalid character '\'' looking for beginning of value")]
    [InlineData("<a>", "invalid character '<' looking for beginning of value")]
    [InlineData("\u0001", @"invalid character '\x01' looking for beginning of value")]
    [InlineData("é", "invalid character 'Ã' looking for beginning of value")]
    [InlineData("[1,]", "invalid character ']' looking for beginning of value")]
    [InlineData("[1 2]", "invalid character '2' after array element")]
    [InlineData("[1}", "invalid character '}' after array element")]
    [InlineData("""{a:1}""", "invalid character 'a' looking for beginning of object key string")]
    [InlineData("""{"a":1,}""", "invalid character '}' looking for beginning of object key string")]
    [InlineData("""{"a" 1}""", "invalid character '1' after object key")]
    [InlineData("""{"a":1 "b":2}""", "invalid character '\"' after object key:value pair")]
    [InlineData("""{"a":1]""", "invalid character ']' after object key:value pair")]
    [InlineData("\"a\nb\"", @"invalid character '\n' in string literal")]
    [InlineData("""["a\x"]""", "invalid character 'x' in string escape code")]
    [InlineData("""["a\u00g0"]""", @"invalid character 'g' in \u hexadecimal character escape")]
    [InlineData("[trve]", "invalid character 'v' in literal true (expecting 'u')")]
    [InlineData("[nil]", "invalid character 'i' in literal null (expecting 'u')")]
    [InlineData("[-a]", "invalid character 'a' in numeric literal")]
    [InlineData("[1.x]", "invalid character 'x' after decimal point in numeric literal")]
    [InlineData("[1ex]", "invalid character 'x' in exponent of numeric literal")]
    [InlineData("[01]", "invalid character '1' after array element")]
    public void What_is_no_JSON_is_told_in_the_words_of_Go(string json, string fault) => Assert.Equal(fault, GoSyntax.Fault(Encoding.UTF8.GetBytes(json)));

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"a":[1,-2.5e+10,{"b":null}],"c":"\u00e9\n","d":true}""")]
    [InlineData("12")]
    [InlineData("{} and something behind it")]
    public void What_begins_with_JSON_has_no_fault(string json) => Assert.Null(GoSyntax.Fault(Encoding.UTF8.GetBytes(json)));
}
