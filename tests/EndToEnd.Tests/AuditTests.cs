using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;
using Npgsql;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>What operators did is on record, and a record that somebody changed is found out.</summary>
public sealed class AuditTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_act_of_an_operator_is_on_record_and_a_change_of_the_record_is_found_out()
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var oper = stack.Operator(gateway);
        using var customer = new Customer(gateway, $"audit-{Guid.NewGuid():N}@example.test", "Audit-Passw0rd-1");
        await customer.RegisterAsync("Audit", Cancel);
        var order = new JsonObject { ["items"] = new JsonArray(new JsonObject { ["productId"] = await stack.PlentyAsync(gateway, Cancel), ["quantity"] = 1 }), ["shippingAddress"] = "8 Audit Street" };
        var id = (await new OrderFlow(null, TimeSpan.FromMinutes(2), TimeProvider.System).PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, Cancel)).OrderId!;
        foreach (var status in (string[])["PROCESSING", "SHIPPED"])
            Assert.True((await oper.SendAsync(HttpMethod.Put, $"api/v1/orders/{id}/status", new JsonObject { ["status"] = status }, Cancel)).Succeeded);

        var listed = await stack.PlatformAsync(["audit", "list", "--json"], Cancel);
        var acts = JsonNode.Parse(listed[listed.IndexOf('[', StringComparison.Ordinal)..])!.AsArray().Where(a => (string?)a!["subject"] == id).ToList();
        Assert.Equal(["order.status", "order.status"], acts.Select(a => (string?)a!["action"]));
        Assert.Contains("SHIPPED", (string?)acts[0]!["data"], StringComparison.Ordinal);
        Assert.StartsWith("USR-", (string?)acts[0]!["actor"], StringComparison.Ordinal);
        await stack.PlatformAsync(["audit", "verify"], Cancel);

        // Not even the owner of the database changes it by the way.
        await Assert.ThrowsAsync<PostgresException>(() => RunAsync("UPDATE audit_log SET data = '{}'"));
        var entry = (long)acts[1]!["id"]!;
        await RunAsync($"ALTER TABLE audit_log DISABLE TRIGGER ALL; CREATE TABLE audit_kept AS SELECT * FROM audit_log WHERE id = {entry}; UPDATE audit_log SET data = '{{}}' WHERE id = {entry}");
        try
        {
            var verdict = await stack.TryPlatformAsync(["audit", "verify"], Cancel);
            Assert.True(verdict.ExitCode == 1, $"ended with {verdict.ExitCode}:\n{verdict.Output}");
            Assert.Contains($"orders: broken at entry {entry} ", verdict.Output, StringComparison.Ordinal);

            // One that is taken out is missed by the one behind it.
            await RunAsync($"DELETE FROM audit_log WHERE id = {entry}");
            Assert.Contains($"orders: broken at entry {entry + 1} ", (await stack.TryPlatformAsync(["audit", "verify"], Cancel)).Output, StringComparison.Ordinal);
        }
        finally
        {
            await RunAsync($"DELETE FROM audit_log WHERE id = {entry}; INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT * FROM audit_kept; DROP TABLE audit_kept; ALTER TABLE audit_log ENABLE TRIGGER ALL");
        }

        await stack.PlatformAsync(["audit", "verify"], Cancel);
    }

    [Fact]
    public async Task A_refund_is_on_record_in_payments()
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var customer = new Customer(gateway, $"refunded-{Guid.NewGuid():N}@example.test", "Refund-Passw0rd-1");
        await customer.RegisterAsync("Refund", Cancel);
        var order = new JsonObject { ["items"] = new JsonArray(new JsonObject { ["productId"] = await stack.PlentyAsync(gateway, Cancel), ["quantity"] = 1 }), ["shippingAddress"] = "8 Audit Street" };
        var id = (await new OrderFlow(null, TimeSpan.FromMinutes(2), TimeProvider.System).PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, Cancel)).OrderId!;
        var payment = (string)(await customer.SendAsync(HttpMethod.Get, $"api/v1/orders/{id}", null, Cancel)).Data!["paymentId"]!;
        var refund = await customer.SendAsync(HttpMethod.Post, $"api/v1/payments/{payment}/refund", new JsonObject { ["amountMinor"] = 40 }, Cancel, ("Idempotency-Key", Guid.NewGuid().ToString()));
        Assert.True(refund.Succeeded, refund.ToString());

        var listed = await stack.PlatformAsync(["audit", "list", "--json"], Cancel);
        var acts = JsonNode.Parse(listed[listed.IndexOf('[', StringComparison.Ordinal)..])!.AsArray().Where(a => (string?)a!["subject"] == payment).Select(a => (string?)a!["action"]).ToList();
        Assert.Equal(["refund.completed", "payment.refund"], acts);
        Assert.Contains("payments: ", await stack.PlatformAsync(["audit", "verify"], Cancel), StringComparison.Ordinal);
    }

    private async Task RunAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(stack.DatabaseOf("orders"));
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
