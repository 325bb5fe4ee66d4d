using DaprPlatform.Sidecar.Observability;
using Xunit;

namespace DaprPlatform.Sidecar.Tests;

public sealed class TraceContextTests
{
    private const string Parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    [Fact]
    public void A_traceparent_is_read_and_written_alike()
    {
        Assert.True(TraceContext.TryParse(Parent, "vendor=1", out var context));
        Assert.Equal(Parent, context.TraceParent);
        Assert.True(TraceContext.TryParseBinary(context.ToBinary(), out var binary));
        Assert.Equal(Parent, binary.TraceParent);
    }

    [Theory]
    [InlineData("00-zz-yy-01")]
    [InlineData("00-00000000000000000000000000000000-00f067aa0ba902b7-01")]
    [InlineData("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
    [InlineData("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")]
    [InlineData("")]
    public void A_malformed_one_is_refused(string traceparent) => Assert.False(TraceContext.TryParse(traceparent, null, out _));

    [Fact]
    public void A_child_stays_in_the_trace_and_keeps_the_decision()
    {
        TraceContext.TryParse(Parent, null, out var context);
        var child = context.Child();
        Assert.Equal(context.TraceId, child.TraceId);
        Assert.NotEqual(context.SpanId, child.SpanId);
        Assert.True(child.Sampled);
    }
}
