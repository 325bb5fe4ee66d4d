using Grpc.Core;
using Grpc.Core.Wire;

namespace Sdk.Grpc.Tests;

public sealed class WireFormats
{
    [Theory]
    [InlineData(0, "1n")]
    [InlineData(1, "100n")]
    [InlineData(10_000, "1000000n")]
    [InlineData(999_999, "99999900n")]
    [InlineData(1_000_000, "100000u")]
    [InlineData(50_000_000, "5000000u")]
    [InlineData(36_000_000_000, "3600000m")]
    [InlineData(864_000_000_000 * 30, "2592000S")]
    [InlineData(long.MaxValue, "99999999H")]
    public void A_timeout_is_written_in_the_finest_unit_that_fits(long ticks, string expected)
    {
        Assert.Equal(expected, GrpcTimeout.Format(new TimeSpan(ticks)));
    }

    [Theory]
    [InlineData("1n", 1)]
    [InlineData("100n", 1)]
    [InlineData("5u", 50)]
    [InlineData("5m", 50_000)]
    [InlineData("5S", 50_000_000)]
    [InlineData("5M", 3_000_000_000)]
    [InlineData("5H", 180_000_000_000)]
    [InlineData("99999999S", 999_999_990_000_000)]
    public void A_timeout_is_read_in_any_unit(string text, long ticks)
    {
        Assert.True(GrpcTimeout.TryParse(text, out var timeout));
        Assert.Equal(ticks, timeout.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("S")]
    [InlineData("-5S")]
    [InlineData(" 5S")]
    [InlineData("5s")]
    [InlineData("100000000n")]
    [InlineData("1.5S")]
    public void A_malformed_timeout_is_refused(string text)
    {
        Assert.False(GrpcTimeout.TryParse(text, out _));
    }

    [Fact]
    public void A_timeout_never_gets_shorter_on_the_wire()
    {
        var random = new Random(1);
        for (var i = 0; i < 10_000; i++)
        {
            var ticks = random.NextInt64(1L << random.Next(1, 62));
            Assert.True(GrpcTimeout.TryParse(GrpcTimeout.Format(new TimeSpan(ticks)), out var timeout));
            Assert.True(timeout.Ticks >= ticks);
        }
    }

    [Theory]
    [InlineData("plain text!", "plain text!")]
    [InlineData("100%", "100%25")]
    [InlineData("a\r\nb", "a%0D%0Ab")]
    [InlineData("größer", "gr%C3%B6%C3%9Fer")]
    [InlineData("😀", "%F0%9F%98%80")]
    [InlineData("", "")]
    public void A_message_is_percent_encoded_and_back(string text, string encoded)
    {
        Assert.Equal(encoded, PercentCoding.Encode(text));
        Assert.Equal(text, PercentCoding.Decode(encoded));
    }

    [Theory]
    [InlineData("50% off", "50% off")]
    [InlineData("%", "%")]
    [InlineData("%4", "%4")]
    [InlineData("%zz%41", "%zzA")]
    [InlineData("%c3%b6", "ö")]
    public void What_is_no_escape_stays_as_it_came(string encoded, string text)
    {
        Assert.Equal(text, PercentCoding.Decode(encoded));
    }

    [Theory]
    [InlineData("AQ", new byte[] { 1 })]
    [InlineData("AQ==", new byte[] { 1 })]
    [InlineData("AQI", new byte[] { 1, 2 })]
    [InlineData("AQID", new byte[] { 1, 2, 3 })]
    [InlineData("", new byte[0])]
    public void Binary_values_are_read_with_padding_and_without(string text, byte[] bytes)
    {
        var metadata = new Metadata();
        MetadataCoding.Add(metadata, "X-Bin", text);

        Assert.Equal(bytes, metadata.GetValueBytes("x-bin"));
        Assert.Equal(text.TrimEnd('='), MetadataCoding.Encode(new Metadata.Entry("x-bin", bytes)));
    }

    [Fact]
    public void Joined_binary_values_come_apart_and_broken_ones_are_dropped()
    {
        var metadata = new Metadata();
        MetadataCoding.Add(metadata, "x-bin", "AQ==, Ag,A,!!!!,Aw");

        Assert.Equal(["01", "02", "03"], metadata.GetAll("x-bin").Select(entry => Convert.ToHexString(entry.ValueBytes)));
    }
}
