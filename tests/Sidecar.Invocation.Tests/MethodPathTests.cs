using DaprPlatform.Sidecar.Invocation;
using Xunit;

namespace DaprPlatform.Sidecar.Tests;

public sealed class MethodPathTests
{
    [Theory]
    [InlineData("echo//double", "echo/double")]
    [InlineData("/a/../echo", "echo")]
    [InlineData("/..%2f..%2fup", "up")]
    [InlineData("echo/", "echo")]
    [InlineData("echo/a%2Fb", "echo/a/b")]
    [InlineData("", "")]
    public void A_method_is_decoded_once_and_cleaned(string raw, string method) => Assert.Equal(method, MethodPath.Decode(raw));

    [Theory]
    [InlineData("a%3Fb")]
    [InlineData("a%23b")]
    [InlineData("a%00b")]
    [InlineData("a%0D%0Ab")]
    public void What_would_change_the_request_line_is_refused(string raw) => Assert.Throws<MethodException>(() => MethodPath.Decode(raw));

    [Theory]
    [InlineData("echo/über", "", "/echo/%C3%BCber")]
    [InlineData("echo/a b", "q=a%20b", "/echo/a%20b?q=a%20b")]
    [InlineData("echo/~t!$&'()*,;=", "", "/echo/~t!$&'()*,;=")]
    [InlineData("100%", "", "/100%25")]
    public void The_app_gets_the_method_encoded_and_the_query_as_it_came(string method, string query, string target) => Assert.Equal(target, MethodPath.Encode(method, query));

    [Fact]
    public void An_id_with_two_dots_is_no_app_id() => Assert.Throws<InvocationException>(() => Invoker.WithoutNamespace("a.b.c"));
}
