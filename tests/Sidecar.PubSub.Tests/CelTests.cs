using System.Text.Json;
using DaprPlatform.Sidecar.PubSub.Cel;

namespace DaprPlatform.Sidecar.PubSub.Tests;

public sealed class CelTests
{
    private const string Event = """{"type":"order.created","level":3,"data":{"amount":5,"price":9.99,"tags":["a","b"],"nothing":null,"text":"5","map":{"with-dash":1}}}""";

    [Theory]
    [InlineData("event.type == 'order.created' && event.data.amount > 4")]
    [InlineData("event.data.missing == 1 || event.type.startsWith('order.')")]
    [InlineData("!('c' in event.data.tags) && 'amount' in event.data")]
    [InlineData("event.data.tags.exists(x, x == 'b') && event.data.tags.all(x, x != 'c') && event.data.tags.exists_one(x, x == 'a')")]
    [InlineData("event.data.tags.map(x, x + '!') == ['a!', 'b!'] && event.data.tags.filter(x, x > 'a') == ['b']")]
    [InlineData("has(event.data.nothing) && event.data.nothing == null && !has(event.data.missing)")]
    [InlineData("string(event.data.amount) == '5' && int(event.data.text) == 5 && double('1e3') == 1000.0")]
    [InlineData("event.data.map['with-dash'] == 1 && size(event.data.tags) == 2 && event.data.tags[1] == 'b'")]
    [InlineData("event.type.matches('^order\\\\.[a-z]+$') && r'\\d' == '\\\\d'")]
    [InlineData("(event.data.amount > 3 ? 'big' : 'small') == 'big' && 7 / 2 == 3 && -7 % 3 == -1")]
    [InlineData("timestamp('2026-01-02T03:04:05Z') + duration('1h') == timestamp('2026-01-02T04:04:05Z')")]
    [InlineData("timestamp('2026-01-02T03:04:05Z').getHours() == 3 && timestamp('2026-01-02T03:04:05Z').getHours('-04:00') == 23 && timestamp('2026-01-02T03:04:05Z').getDate('-04:00') == 1 && timestamp('2026-01-02T03:04:05Z').getMinutes('+05:30') == 34")]
    [InlineData("duration('90m').getHours() == 1 && duration('90m').getMinutes() == 90")]
    [InlineData("string(1e21) == '1e+21' && string(0.5) == '0.5' && string(-3.0) == '-3'")]
    public void A_true_rule_matches(string rule) => Assert.True(Evaluate(rule).IsTrue);

    [Theory]
    [InlineData("event.data.missing == 1")]
    [InlineData("has(event.data.missing.deeper)")]
    [InlineData("event.data.tags[9] == 'b'")]
    [InlineData("event.data.amount + 1 == 6")]
    [InlineData("1 / 0 == 1")]
    [InlineData("events.type == 'x'")]
    [InlineData("has(data.amount)")]
    [InlineData("9223372036854775807 + 1 > 0")]
    public void What_cannot_be_evaluated_is_an_error(string rule) => Assert.True(Evaluate(rule).IsError);

    [Theory]
    [InlineData("event.type == 'order.cancelled'")]
    [InlineData("event.data.text == 5")]
    [InlineData("has(event.type.length)")]
    public void A_false_rule_does_not_match(string rule)
    {
        var value = Evaluate(rule);
        Assert.Equal(CelKind.Bool, value.Kind);
        Assert.False(value.IsTrue);
    }

    [Theory]
    [InlineData("event.type ==")]
    [InlineData("unknown(event)")]
    [InlineData("event.type.matches('(')")]
    [InlineData("'open")]
    [InlineData("(event.type")]
    public void A_malformed_rule_is_refused(string rule) => Assert.Throws<CelException>(() => CelProgram.Compile(rule, "event"));

    [Theory]
    [InlineData("1 + 'a' == 2", "found no matching overload for '_+_' applied to '(int, string)'")]
    [InlineData("event.type == 'a' && 'b'", "found no matching overload for '_&&_' applied to '(bool, string)'")]
    [InlineData("!event.data.amount || !7", "found no matching overload for '!_' applied to '(int)'")]
    [InlineData("-'a' == event.type", "found no matching overload for '-_' applied to '(string)'")]
    [InlineData("1 < 'a'", "found no matching overload for '_<_' applied to '(int, string)'")]
    [InlineData("'1' == 1", "found no matching overload for '_==_' applied to '(string, int)'")]
    [InlineData("event.type in 'abc'", "found no matching overload for '@in' applied to '(dyn, string)'")]
    [InlineData("size(1) == 1", "found no matching overload for 'size' applied to '(int)'")]
    [InlineData("event.type.startsWith(1)", "found no matching overload for 'startsWith' applied to '(dyn, int)'")]
    [InlineData("event.type.matches(1)", "found no matching overload for 'matches' applied to '(dyn, int)'")]
    [InlineData("'a'.b == 'c'", "type 'string' does not support field selection")]
    [InlineData("'a'[0] == 'a'", "found no matching overload for '_[_]' applied to '(string, int)'")]
    [InlineData("1 ? true : false", "found no matching overload for '_?_:_' applied to '(int, bool, bool)'")]
    [InlineData("(event.level > 1 ? 'a' : 1) == 'a'", "found no matching overload for '_?_:_' applied to '(bool, string, int)'")]
    [InlineData("'abc'.exists(x, x == 'a')", "expression of type 'string' cannot be range of a comprehension (must be list, map, or dynamic)")]
    [InlineData("event.data.tags.all(x, 'a')", "found no matching overload for '_&&_' applied to '(bool, string)'")]
    [InlineData("unknown(event)", "undeclared reference to 'unknown' (in container '')")]
    public void A_rule_that_can_be_right_for_no_event_is_refused(string rule, string reason) =>
        Assert.StartsWith(reason, Assert.Throws<CelException>(() => CelProgram.Compile(rule, "event")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("event.data.amount + 1.0 == event.level * 2.0 - 1.5")]
    [InlineData("event.type + '!' in [event.type, 'x'] || event.data.map.exists(k, k == 'a')")]
    [InlineData("[1, 2] + [event.level] == event.data.tags || {'a': 1}['a'] == 1 || {'a': 1}.a < 2.5")]
    [InlineData("timestamp(event.time) - duration('1h') < timestamp(event.data.at) && timestamp(event.time) - timestamp(event.data.at) > duration('1s')")]
    [InlineData("type(event.type) == string && size(event.type) % 2 == 0 && bool(event.data.urgent)")]
    [InlineData("event.data.tags.map(x, size(x))[0] == 1 && (event.level > 1 ? event.type : 'x').contains('y')")]
    public void What_depends_on_the_event_is_left_to_it(string rule) => CelProgram.Compile(rule, "event");

    [Fact]
    public void A_variable_nobody_gives_does_not_matter_where_the_other_side_decides() => Assert.True(Evaluate("type == 'x' || event.data.amount == 5").IsTrue);

    [Fact]
    public void Half_a_character_is_the_replacement_character()
    {
        using var json = JsonDocument.Parse("""{"data":"\ud800"}""");
        Assert.True(CelProgram.Compile("event.data == '\ufffd'", "event").Evaluate(CelValue.Of(json.RootElement)).IsTrue);
    }

    [Fact]
    public void Deep_nesting_is_refused_instead_of_overflowing_the_stack() =>
        Assert.Throws<CelException>(() => CelProgram.Compile(new string('(', 10_000) + "1" + new string(')', 10_000)));

    private static CelValue Evaluate(string rule)
    {
        using var json = JsonDocument.Parse(Event);
        return CelProgram.Compile(rule, "event").Evaluate(CelValue.Of(json.RootElement));
    }
}
