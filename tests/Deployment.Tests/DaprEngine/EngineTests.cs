using DaprPlatform.Cli;
using DaprPlatform.Cli.DaprEngine;
using DaprPlatform.Cli.Kubernetes;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.Deployment.Tests.DaprEngine;

public sealed class EngineTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("platform-engine-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_servers_are_those_that_the_components_name()
    {
        var servers = NeededServer.Of(LocalRunFile(), static _ => null);
        Assert.Equal([("Kafka", "localhost:9092"), ("Redis", "localhost:6379"), ("etcd", "localhost:2379")], servers.Select(s => (s.Kind.Name, s.Address)));
        Assert.All(servers, s => Assert.False(s.Given));
    }

    [Fact]
    public void A_variable_names_another_server_and_its_components_say_so_and_nothing_else()
    {
        var servers = NeededServer.Of(LocalRunFile(), name => name == "KAFKA_BROKERS" ? "broker-1:9093,broker-2:9093" : name == "REDIS_HOST" ? "cache:6380" : null);
        var to = Path.Combine(_folder.FullName, "resources");

        Resources.Copy(Support.At("components"), to, [.. servers.Where(s => s.Given)]);

        var before = Components(Support.At("components"));
        var after = Components(to);
        Assert.Equal(before.Keys, after.Keys);
        foreach (var (key, text) in before)
        {
            var expected = key.EndsWith("pubsub", StringComparison.Ordinal) ? text.Replace("localhost:9092", "broker-1:9093,broker-2:9093", StringComparison.Ordinal)
                : text.Contains(".redis\"", StringComparison.Ordinal) ? text.Replace("localhost:6379", "cache:6380", StringComparison.Ordinal) : text;
            Assert.Equal(expected, after[key]);
        }
    }

    [Theory]
    [InlineData("KAFKA_BROKERS", "kafka")]
    [InlineData("REDIS_HOST", "redis:notaport")]
    [InlineData("ETCD_ENDPOINTS", "http://etcd")]
    public void An_address_that_is_none_is_refused(string variable, string value) =>
        Assert.Throws<CommandException>(() => NeededServer.Of(LocalRunFile(), name => name == variable ? value : null));

    [Fact]
    public void What_is_missing_says_what_to_do()
    {
        var servers = NeededServer.Of(LocalRunFile(), static _ => null).ToDictionary(s => s.Kind.Name, s => s.Missing);
        Assert.Contains("docker compose up -d --wait kafka", servers["Kafka"], StringComparison.Ordinal);
        Assert.Contains("KAFKA_BROKERS", servers["Kafka"], StringComparison.Ordinal);
        Assert.Contains("Debian's redis-server", servers["Redis"], StringComparison.Ordinal);
        Assert.Contains("Debian's etcd-server", servers["etcd"], StringComparison.Ordinal);
        var given = NeededServer.Of(LocalRunFile(), static name => name == "REDIS_HOST" ? "cache:1" : null).Single(s => s.Given);
        Assert.Equal("Redis: nothing answers at cache:1 (REDIS_HOST).", given.Missing);
    }

    [Fact]
    public void A_database_url_reaches_every_app_with_a_database_and_no_server_is_started()
    {
        var file = DatabaseUrl.Apply(LocalRunFile(), "postgres://shop:p%40ss@db.example:6543/ignored");

        Assert.Null(DatabaseSettings.From(file));
        foreach (var app in file.Apps.Where(a => a.Environment.ContainsKey("POSTGRES_DB")))
        {
            Assert.Equal(("db.example", "6543", "shop", "p@ss"),
                (app.Environment["POSTGRES_HOST"], app.Environment["POSTGRES_PORT"], app.Environment["POSTGRES_USER"], app.Environment["POSTGRES_PASSWORD"]));
            Assert.Equal(app.AppId, app.Environment["POSTGRES_DB"]);
        }

        Assert.NotNull(DatabaseSettings.From(LocalRunFile()));
        Assert.Throws<CommandException>(() => DatabaseUrl.Apply(LocalRunFile(), "mysql://x"));
    }

    [Fact]
    public void The_sidecar_gets_the_flags_that_dapr_run_gives()
    {
        var app = LocalRunFile().Apps.Single(a => a.AppId == "orders");
        var flags = string.Join(' ', DaprdArguments.Of(app, app.ResourcesPaths, "localhost:50005", "localhost:50006"));

        Assert.Contains("--app-id orders --app-port 50052 --app-protocol grpc --app-max-concurrency -1 --dapr-http-port 3502 --dapr-grpc-port 15002 --dapr-internal-grpc-port ",
            flags, StringComparison.Ordinal);
        Assert.Contains("--placement-host-address localhost:50005 --scheduler-host-address localhost:50006", flags, StringComparison.Ordinal);
        Assert.Contains($"--resources-path {Support.At("components")} --config {Support.At("config", "dapr.yaml")} --log-level info --metrics-port 19092", flags, StringComparison.Ordinal);
        Assert.DoesNotContain("--enable-app-health-check", flags, StringComparison.Ordinal);
    }

    private static Dictionary<string, string> Components(string folder) => Resources.Files(folder).SelectMany(f => Document.Parse(File.ReadAllText(f), f))
        .OrderBy(d => d.Title, StringComparer.Ordinal).ToDictionary(d => d.Title, d => d.Content.ToJsonString());

    private static RunFile LocalRunFile() => RunFileReader.Read(Support.At("dapr.yaml"));
}
