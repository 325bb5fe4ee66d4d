using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Deployment.Tests.Publishing;

/// <summary>What <c>./platform publish --output DIR</c> makes runs by itself, and the runbooks do on it what they say.</summary>
public sealed partial class PublicationTests(PublicationFixture published) : IClassFixture<PublicationFixture>
{
    private const string Secret = "jwt-signing-key";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_runs_on_the_one_dotnet_and_the_node_and_the_postgres_of_the_folder()
    {
        await published.RefreshAsync(Cancel);
        Assert.True(published.Status.Healthy);
        var processes = published.Status.Apps.Select(a => a.Pid!.Value).Append(published.Status.Pid!.Value).Append(published.Status.Postgres!.Pid!.Value).SelectMany(ProcessTable.Tree).Distinct().ToList();
        Assert.True(processes.Count >= published.RunFile.Apps.Count + 2);
        foreach (var pid in processes)
        {
            var maps = await File.ReadAllTextAsync($"/proc/{pid}/maps", Cancel);
            var foreign = maps.Split('\n').Where(l => l.Contains("libcoreclr", StringComparison.Ordinal) || l.EndsWith("/node", StringComparison.Ordinal) || l.EndsWith("/postgres", StringComparison.Ordinal) || l.EndsWith(".dll", StringComparison.Ordinal))
                .Where(l => !l.Contains(published.Folder, StringComparison.Ordinal));
            Assert.Empty(foreign);
        }
    }

    [Fact]
    public async Task An_order_is_confirmed_and_the_command_around_it_works()
    {
        using var gateway = published.Gateway();
        using var customer = await CustomerAsync(gateway);
        var id = await OrderAsync(customer);

        var history = await published.TryPlatformAsync(Cancel, "workflow", "history", id, "--app", "orders");
        Assert.True(history.ExitCode == 0, history.Output);
        var doctor = await published.TryPlatformAsync(Cancel, "doctor", "--json");
        Assert.Contains("came along", doctor.Output, StringComparison.Ordinal);
        Assert.Contains("from publication", doctor.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await published.TryPlatformAsync(Cancel, "status")).ExitCode);
        var daprd = await ToolRun.RunAsync(Path.Combine(published.Folder, "bin", "daprd", "daprd"), ["--version"], published.Folder, Cancel, limit: TimeSpan.FromMinutes(1));
        Assert.True(daprd.Succeeded, daprd.Output);
    }

    [Theory]
    [InlineData("publish", "--output", "elsewhere")]
    [InlineData("test")]
    [InlineData("k8s", "lint")]
    public async Task What_needs_sources_says_that_it_does(params string[] command)
    {
        var (exitCode, output) = await published.TryPlatformAsync(Cancel, command);
        Assert.Equal(1, exitCode);
        Assert.Contains("needs a clone", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_with_something_else_or_with_a_running_stack_is_not_written_to()
    {
        var publication = new Publication(Repository.Find(), static _ => { });
        var other = Directory.CreateTempSubdirectory("platform-other-");
        await File.WriteAllTextAsync(Path.Combine(other.FullName, "thesis.txt"), "years of work", Cancel);
        Assert.Contains("no publication", (await Assert.ThrowsAsync<CommandException>(() => publication.MakeAsync(other.FullName, Cancel))).Message, StringComparison.Ordinal);
        Assert.Single(other.GetFileSystemInfos());
        other.Delete(recursive: true);

        await published.RefreshAsync(Cancel);
        Assert.Contains("A stack runs", (await Assert.ThrowsAsync<CommandException>(() => publication.MakeAsync(published.Folder, Cancel))).Message, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(published.Folder, Repository.PublicationMark)));
    }

    [Fact]
    public async Task Data_that_was_copied_away_comes_back()
    {
        var runbook = Section("Restore");
        using var gateway = published.Gateway();
        using var customer = await CustomerAsync(gateway);
        var kept = await OrderAsync(customer);
        await published.TypeAsync(runbook[0], Cancel);
        var lost = await OrderAsync(customer);

        await published.TypeAsync(runbook[1], Cancel);

        await published.RefreshAsync(Cancel);
        Assert.True(published.Status.Healthy);
        Assert.Equal("CONFIRMED", (string?)(await customer.SendAsync(HttpMethod.Get, $"api/v1/orders/{kept}", null, Cancel)).Data?["status"]);
        Assert.Equal(HttpStatusCode.NotFound, (await customer.SendAsync(HttpMethod.Get, $"api/v1/orders/{lost}", null, Cancel)).Status);
        await OrderAsync(customer);
    }

    [Fact]
    public async Task A_new_signing_key_signs_while_tokens_of_the_old_one_still_count()
    {
        var runbook = Section("Rotating the signing key");
        using var gateway = published.Gateway();
        var email = $"rotated-{Guid.NewGuid():N}@example.test";
        var account = new JsonObject { ["email"] = email, ["password"] = "Rotated-Passw0rd-1", ["firstName"] = "Rotated", ["lastName"] = "Key" };
        var registered = await gateway.SendAsync(HttpMethod.Post, "api/v1/auth/register", account, Cancel);
        Assert.True(registered.Succeeded, registered.ToString());
        var token = (string)(await gateway.SendAsync(HttpMethod.Post, "api/v1/auth/login", new JsonObject { ["email"] = email, ["password"] = "Rotated-Passw0rd-1" }, Cancel)).Data!["accessToken"]!;
        var file = Path.Combine(published.Folder, "config", "secrets.development.json");
        var secrets = JsonNode.Parse(await File.ReadAllTextAsync(file, Cancel))!;
        var old = Assert.Single(await KeysAsync(gateway));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        secrets[Secret] = key.ExportPkcs8PrivateKeyPem() + "\n" + (string)secrets[Secret]!;
        await File.WriteAllTextAsync(file, secrets.ToJsonString(), Cancel);

        await published.TypeAsync(runbook[0], Cancel);

        var keys = await KeysAsync(gateway);
        Assert.Equal(2, keys.Count);
        Assert.Equal(old, keys[1]);
        Assert.Equal(HttpStatusCode.OK, (await gateway.SendAsync(HttpMethod.Get, "api/v1/orders", null, Cancel, token)).Status);
        using var after = await CustomerAsync(gateway);
        await OrderAsync(after);
    }

    private static async Task<List<string>> KeysAsync(GatewayClient gateway) =>
        [.. (await gateway.SendAsync(HttpMethod.Get, ".well-known/jwks.json", null, Cancel)).Body!["keys"]!.AsArray().Select(k => (string)k!["kid"]!)];

    private static async Task<Customer> CustomerAsync(GatewayClient gateway)
    {
        var customer = new Customer(gateway, $"published-{Guid.NewGuid():N}@example.test", "Published-Passw0rd-1");
        await customer.RegisterAsync("Published", Cancel);
        return customer;
    }

    private async Task<string> OrderAsync(Customer customer)
    {
        using var gateway = published.Gateway();
        using var oper = Cli.Commands.RunningStack.OperatorOf(published.RunFile, gateway);
        var products = new JsonArray(new JsonObject { ["sku"] = "PUBLISHED-001", ["name"] = "Published", ["priceMinor"] = 100, ["stock"] = 1_000_000 });
        Assert.True((await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["products"] = products }, Cancel)).Succeeded);
        var flow = new OrderFlow(null, TimeSpan.FromMinutes(2), TimeProvider.System);
        var order = new JsonObject
        {
            ["items"] = new JsonArray(new JsonObject { ["productId"] = "PUBLISHED-001", ["quantity"] = 1 }),
            ["shippingAddress"] = "1 Copy Street, Folder City",
        };
        var outcome = await flow.PlaceAsync(customer, "published", Guid.NewGuid().ToString(), order, Cancel);
        Assert.True(outcome.Fate == OrderFate.Confirmed, outcome.ToString());
        return outcome.OrderId!;
    }

    /// <summary>The command blocks of a section of the operations document.</summary>
    private static List<string> Section(string title)
    {
        var text = File.ReadAllText(Support.At("docs", "operations.md"));
        var section = text.Split("\n## ").Single(s => s.StartsWith(title + "\n", StringComparison.Ordinal));
        return [.. Blocks().Matches(section).Select(m => m.Groups[1].Value)];
    }

    [GeneratedRegex("```bash\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Blocks();
}
