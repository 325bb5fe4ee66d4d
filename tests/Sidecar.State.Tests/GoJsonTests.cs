using System.Buffers;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Http;

namespace DaprPlatform.Sidecar.State.Tests;

/// <summary>Expected texts are what Go 1.26 prints for the same input.</summary>
public sealed class GoJsonTests
{
    [Theory]
    [InlineData(" { \"b\" : 1 , \"a\" : [ true , null , \"x\" ] } ", "{\"a\":[true,null,\"x\"],\"b\":1}")]
    [InlineData("{\"z\":{\"y\":1,\"x\":2},\"a\":{}}", "{\"a\":{},\"z\":{\"x\":2,\"y\":1}}")]
    [InlineData("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}")]
    [InlineData("{\"B\":1,\"a\":2,\"A\":3}", "{\"A\":3,\"B\":1,\"a\":2}")]
    [InlineData("{\"\\u00e9\":1,\"z\":2}", "{\"z\":2,\"é\":1}")]
    [InlineData("[]", "[]")]
    [InlineData("\"\"", "\"\"")]
    public void Members_are_sorted_and_nothing_is_between_them(string json, string expected) => Assert.Equal(expected, Canonical(json));

    [Theory]
    [InlineData("1.0", "1")]
    [InlineData("-0", "-0")]
    [InlineData("1e3", "1000")]
    [InlineData("1.50", "1.5")]
    [InlineData("123456789012345", "123456789012345")]
    [InlineData("12345678901234567890", "12345678901234567000")]
    [InlineData("1e20", "100000000000000000000")]
    [InlineData("1e21", "1e+21")]
    [InlineData("-1.5e300", "-1.5e+300")]
    [InlineData("0.000001", "0.000001")]
    [InlineData("0.0000001", "1e-7")]
    [InlineData("1.25e-10", "1.25e-10")]
    [InlineData("0.1", "0.1")]
    [InlineData("100.25", "100.25")]
    [InlineData("5e-324", "5e-324")]
    public void Numbers_are_doubles_as_Go_prints_them(string json, string expected) => Assert.Equal(expected, Canonical(json));

    [Theory]
    [InlineData("\"<a&b>\"", "\"\\u003ca\\u0026b\\u003e\"")]
    [InlineData("\"\\u2028\\u2029\"", "\"\\u2028\\u2029\"")]
    [InlineData("\"\\/\\b\\f\\n\\r\\t\\\"\\\\\\u0001\\u007f\"", "\"/\\b\\f\\n\\r\\t\\\"\\\\\\u0001\u007f\"")]
    [InlineData("\"\\ud83d\\udd11 \\ud83d x\"", "\"🔑 \ufffd x\"")]
    [InlineData("\"grün ✓\"", "\"grün ✓\"")]
    public void Text_is_escaped_as_Go_escapes_it(string json, string expected) => Assert.Equal(expected, Canonical(json));

    [Fact]
    public void Html_stays_where_that_is_asked_for() => Assert.Equal("\"<a&b>\"", Encoding.UTF8.GetString(GoJson.Canonical("\"<a\\u0026b>\""u8, escapeHtml: false)));

    [Fact]
    public void Bytes_that_are_no_unicode_become_the_replacement_character() => Assert.Equal("\"a\ufffdb\"", Encoding.UTF8.GetString(GoJson.Canonical([(byte)'"', (byte)'a', 0xff, (byte)'b', (byte)'"'])));

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1,]")]
    [InlineData("1 2")]
    [InlineData("nul")]
    [InlineData("1e999")]
    public void What_is_no_JSON_text_is_refused(string json) => Assert.ThrowsAny<JsonException>(() => Canonical(json));

    [Fact]
    public void Doubles_survive_being_written_and_read_again()
    {
        var random = new Random(7);
        for (var i = 0; i < 20_000; i++)
        {
            var number = BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue));
            if (!double.IsFinite(number))
                continue;
            var output = new ArrayBufferWriter<byte>();
            GoJson.WriteNumber(output, number);
            Assert.Equal(number, double.Parse(Encoding.ASCII.GetString(output.WrittenSpan), System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    private static string Canonical(string json) => Encoding.UTF8.GetString(GoJson.Canonical(Encoding.UTF8.GetBytes(json)));
}
