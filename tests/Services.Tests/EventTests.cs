using System.Text.Json;
using DaprPlatform.Contracts.Events;
using Xunit;

namespace DaprPlatform.Services.Tests;

public sealed class EventTests
{
    [Fact]
    public void A_payment_without_a_message_is_read_as_it_was_written()
    {
        var paid = new PaymentProcessed("ORD-1", "PAY-1", "user", Success: true, Message: null, 1599, "USD", DateTimeOffset.UnixEpoch);
        var data = JsonSerializer.Serialize(paid, EventJson.Options);
        Assert.Contains("\"message\":null", data, StringComparison.Ordinal);
        Assert.Equal(paid, JsonSerializer.Deserialize<PaymentProcessed>(data, EventJson.Options));
    }

    [Fact]
    public void An_event_that_lacks_a_member_is_malformed() =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<PaymentProcessed>("""{"order_id":"ORD-1","success":true}""", EventJson.Options));
}
