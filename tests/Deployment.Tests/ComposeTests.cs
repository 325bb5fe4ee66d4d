using DaprPlatform.Cli;
using DaprPlatform.Cli.Kubernetes;
using DaprPlatform.Cli.RunFiles;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace DaprPlatform.Deployment.Tests;

public sealed class ComposeTests
{
    private static readonly Dictionary<string, object> Services = Read();

    // Nothing in their images could look, and nothing waits for them.
    private static readonly string[] WithoutProbe = ["kafka-exporter", "otel-collector", "placement", "scheduler"];

    [Fact]
    public async Task The_file_is_what_the_Compose_specification_allows()
    {
        KubernetesTools tools;
        try
        {
            tools = await KubernetesTools.PrepareAsync(Repository.Find(), static _ => { }, TestContext.Current.CancellationToken);
        }
        catch (CommandException e)
        {
            Assert.Skip($"skipped: {e.Message}");
            return;
        }

        var validator = Path.Combine(tools.Folder, "validate-compose.mjs");
        var good = await Support.RunAsync("node", validator, Support.At("docker-compose.yml"));
        Assert.True(good.Succeeded, good.Output);

        var bad = Path.GetTempFileName();
        await File.WriteAllTextAsync(bad, (await File.ReadAllTextAsync(Support.At("docker-compose.yml"), TestContext.Current.CancellationToken))
            .Replace("depends_on:", "dependson:", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        Assert.Equal(1, (await Support.RunAsync("node", validator, bad)).ExitCode);
        File.Delete(bad);
    }

    [Theory]
    [InlineData("postgres", "postgres:15.4-alpine", "5432")]
    [InlineData("redis", "redis:7.2-alpine", "6379")]
    [InlineData("kafka", "apache/kafka:4.0.0", "9092")]
    [InlineData("etcd", "quay.io/coreos/etcd:v3.5.15", "2379")]
    [InlineData("kafka-ui", "provectuslabs/kafka-ui:v0.7.2", "8085")]
    [InlineData("prometheus", "prom/prometheus:v2.48.0", null)]
    [InlineData("grafana", "grafana/grafana:10.2.0", null)]
    [InlineData("zipkin", "openzipkin/zipkin:3.4", "9411")]
    public void Versions_and_ports_are_those_that_were_promised(string service, string image, string? port)
    {
        Assert.Equal(image, Text(service, "image"));
        if (port is null)
            Assert.Equal("host", Text(service, "network_mode"));
        else
            Assert.Contains(Items(service, "ports"), p => p.StartsWith($"127.0.0.1:{port}:", StringComparison.Ordinal));
    }

    [Fact]
    public void Nothing_can_be_reached_from_another_machine_and_every_image_names_its_version()
    {
        foreach (var service in Services.Keys)
        {
            Assert.All(Items(service, "ports"), p => Assert.StartsWith("127.0.0.1:", p, StringComparison.Ordinal));
            Assert.Matches("^[^:]+:v?[0-9][\\w.-]*$", Text(service, "image"));
        }
    }

    [Fact]
    public void Whatever_is_waited_for_says_when_it_is_healthy()
    {
        foreach (var (service, content) in Services)
        {
            var members = (Dictionary<object, object>)content;
            Assert.True(members.ContainsKey("healthcheck") || WithoutProbe.Contains(service), $"{service} has no healthcheck.");
            if (!members.TryGetValue("depends_on", out var dependencies))
                continue;
            foreach (var (other, how) in (Dictionary<object, object>)dependencies)
            {
                Assert.Equal("service_healthy", ((Dictionary<object, object>)how)["condition"]);
                Assert.True(((Dictionary<object, object>)Services[(string)other]).ContainsKey("healthcheck"), $"{service} waits for {other}, which never says that it is healthy.");
            }
        }
    }

    [Fact]
    public void What_the_components_and_the_run_file_name_is_what_is_started()
    {
        var addresses = Directory.GetFiles(Support.At("components"), "*.yaml").SelectMany(f => Document.Parse(File.ReadAllText(f), f)).Where(d => d.Kind == "Component")
            .SelectMany(d => d.Spec!["metadata"]!.AsArray()).Where(m => (string?)m!["name"] is "brokers" or "redisHost" or "endpoints").Select(m => (string)m!["value"]!).Distinct();
        var published = Services.Keys.SelectMany(s => Items(s, "ports")).Select(p => p.Split(':')[1]).ToHashSet();
        Assert.All(addresses, a => Assert.Contains(a.Replace("localhost:", "", StringComparison.Ordinal), published));

        var app = RunFileReader.Read(Support.At("dapr.yaml")).Apps.First(a => a.Environment.ContainsKey("POSTGRES_PASSWORD"));
        var postgres = (Dictionary<object, object>)((Dictionary<object, object>)Services["postgres"])["environment"];
        Assert.Equal(app.Environment["POSTGRES_PASSWORD"], postgres["POSTGRES_PASSWORD"]);
        Assert.Equal(app.Environment["POSTGRES_USER"], postgres["POSTGRES_USER"]);
        Assert.Contains(app.Environment["POSTGRES_PORT"], published);
    }

    [Fact]
    public void Files_that_are_mounted_are_there()
    {
        foreach (var volume in Services.Keys.SelectMany(s => Items(s, "volumes")).Where(v => v.StartsWith("./", StringComparison.Ordinal)))
        {
            var path = Support.At(volume[2..volume.IndexOf(':', StringComparison.Ordinal)].Split('/'));
            Assert.True(Path.Exists(path), path);
        }
    }

    private static string Text(string service, string key) => (string)((Dictionary<object, object>)Services[service])[key];

    private static IEnumerable<string> Items(string service, string key) =>
        ((Dictionary<object, object>)Services[service]).TryGetValue(key, out var items) ? ((List<object>)items).Cast<string>() : [];

    private static Dictionary<string, object> Read()
    {
        using var reader = File.OpenText(Support.At("docker-compose.yml"));
        var root = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(new MergingParser(new Parser(reader)));
        return ((Dictionary<object, object>)root["services"]).ToDictionary(s => (string)s.Key, s => s.Value);
    }
}
