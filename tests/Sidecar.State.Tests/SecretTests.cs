using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Secrets;

namespace DaprPlatform.Sidecar.State.Tests;

public sealed class SecretTests : IDisposable
{
    private static readonly Dictionary<string, string> None = [];
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Nested_values_are_secrets_of_their_own()
    {
        await using var store = await FileAsync("""{ "plain": "p", "db": { "user": "u", "port": 5432, "on": true }, "list": ["a", { "b": "c" }] }""", ("nestedSeparator", "."));
        Assert.Equal(["db.on", "db.port", "db.user", "list.0", "list.1.b", "plain"], (await store.GetAllAsync(None, default)).Keys);
        Assert.Equal("5432", (await store.GetAsync("db.port", None, default))!["db.port"]);
        Assert.Equal("true", (await store.GetAsync("db.on", None, default))!["db.on"]);
        await Assert.ThrowsAsync<SecretNotFoundException>(async () => await store.GetAsync("db", None, default));
    }

    [Fact]
    public async Task With_several_values_the_first_level_is_the_secret()
    {
        await using var store = await FileAsync("""{ "plain": "p", "db": { "user": "u", "nested": { "deep": "d" } } }""", ("multiValued", "true"));
        Assert.Equal(new Dictionary<string, string> { ["user"] = "u", ["nested:deep"] = "d" }, (await store.GetAsync("db", None, default))!);
        Assert.Equal("p", (await store.GetAsync("plain", None, default))!["plain"]);
        await Assert.ThrowsAsync<SecretNotFoundException>(async () => await store.GetAsync("db:user", None, default));
        Assert.Equal(["MULTIPLE_KEY_VALUES_PER_SECRET"], store.Capabilities);
    }

    [Theory]
    [InlineData("[1]")]
    [InlineData("{")]
    [InlineData(null)]
    public async Task A_file_that_cannot_be_read_is_refused(string? json) => await Assert.ThrowsAsync<ComponentException>(() => FileAsync(json));

    [Fact]
    public async Task Variables_of_Dapr_itself_are_no_secrets()
    {
        await using var engine = await Specs.EngineAsync(_folder);
        var options = new SidecarOptions { AppId = "app", Environment = new Dictionary<string, string> { ["MY_ONE"] = "1", ["MY_"] = "bare", ["DAPR_API_TOKEN"] = "t", ["app_api_token"] = "t", ["OTHER"] = "o" } };
        var all = new LocalEnvironmentSecretStore(Specs.Of(engine, "secretstores.local.env") with { Options = options });
        var mine = new LocalEnvironmentSecretStore(Specs.Of(engine, "secretstores.local.env", ("prefix", "MY_")) with { Options = options });
        Assert.Equal(["MY_", "MY_ONE", "OTHER"], (await all.GetAllAsync(None, default)).Keys);
        Assert.Equal("", (await all.GetAsync("DAPR_API_TOKEN", None, default))!["DAPR_API_TOKEN"]);
        Assert.Equal("1", (await mine.GetAsync("ONE", None, default))!["ONE"]);
        Assert.Equal("", (await mine.GetAsync("MY_ONE", None, default))!["MY_ONE"]);
    }

    [Theory]
    [InlineData("open", "any", true)]
    [InlineData("denied", "any", false)]
    [InlineData("some", "a", true)]
    [InlineData("some", "b", false)]
    [InlineData("most", "a", false)]
    [InlineData("most", "b", true)]
    [InlineData("both", "a", true)]
    [InlineData("both", "c", false)]
    public void Scopes_decide_which_secrets_an_app_may_have(string store, string secret, bool allowed)
    {
        var scopes = new SecretScopes((JsonObject)JsonNode.Parse("""
            { "secrets": { "scopes": [
                { "storeName": "denied", "defaultAccess": "deny" }, { "storeName": "some", "defaultAccess": "deny", "allowedSecrets": ["a"] },
                { "storeName": "most", "defaultAccess": "allow", "deniedSecrets": ["a"] }, { "storeName": "both", "allowedSecrets": ["a"], "deniedSecrets": ["b"] } ] } }
            """)!);
        Assert.Equal(allowed, scopes.Allows(store, secret));
    }

    private async Task<LocalFileSecretStore> FileAsync(string? json, params (string Name, string Value)[] metadata)
    {
        if (json is not null)
            File.WriteAllText(_folder.File("secrets.json"), json);
        await using var engine = await Specs.EngineAsync(_folder);
        var store = new LocalFileSecretStore(Specs.Of(engine, "secretstores.local.file", [("secretsFile", _folder.File("secrets.json")), .. metadata]));
        await store.InitAsync(default);
        return store;
    }
}
