using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;
using YamlDotNet.RepresentationModel;

namespace DaprPlatform.Deployment.Tests.Monitoring;

public sealed partial class MonitoringTests
{
    private static readonly string[] PrometheusFolder = ["monitoring", "prometheus"];

    // Debian's build knows no discovery in Kubernetes; that part is looked at by the test of the cluster's configuration.
    private static readonly HashSet<string> Roles = ["pod", "service", "endpoints", "endpointslice", "node", "ingress"];

    [Fact]
    public async Task The_rules_do_what_their_tests_say() => await PromtoolAsync("test", "rules", Support.At([.. PrometheusFolder, "tests", "alerts.test.yml"]));

    [Fact]
    public async Task The_local_configuration_and_its_rules_are_what_Prometheus_reads() =>
        await PromtoolAsync("check", "config", Support.At([.. PrometheusFolder, "prometheus.yml"]));

    [Fact]
    public async Task The_configuration_for_a_cluster_is_what_Prometheus_reads()
    {
        var folder = Directory.CreateTempSubdirectory("platform-prometheus-");
        try
        {
            var yaml = Load(Support.At([.. PrometheusFolder, "prometheus.cluster.yml"]));
            var roles = new List<string>();
            Strip(yaml.Documents[0].RootNode, roles);
            Assert.All(roles, r => Assert.Contains(r, Roles));
            Assert.True(roles.Count >= 5);
            Directory.CreateDirectory(Path.Combine(folder.FullName, "rules"));
            foreach (var rules in Directory.GetFiles(Support.At([.. PrometheusFolder, "rules"])))
                File.Copy(rules, Path.Combine(folder.FullName, "rules", Path.GetFileName(rules)));
            var file = Path.Combine(folder.FullName, "prometheus.yml");
            await using (var writer = File.CreateText(file))
                yaml.Save(writer, assignAnchors: false);

            await PromtoolAsync("check", "config", file);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Every_query_of_a_dashboard_is_PromQL()
    {
        var folder = Directory.CreateTempSubdirectory("platform-prometheus-");
        try
        {
            var rules = new StringBuilder("groups:\n- name: dashboards\n  rules:\n");
            foreach (var (query, i) in Query.All(Support.Root).Select((q, i) => (q.Expression.Replace("$__range", "1h", StringComparison.Ordinal), i)))
                rules.Append(CultureInfo.InvariantCulture, $"  - record: dashboard:query:{i}\n    expr: '{query.Replace("'", "''", StringComparison.Ordinal).Trim()}'\n");
            var file = Path.Combine(folder.FullName, "dashboards.yml");
            await File.WriteAllTextAsync(file, rules.ToString(), TestContext.Current.CancellationToken);

            await PromtoolAsync("check", "rules", file);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_dashboards_are_those_that_their_script_writes()
    {
        var result = await Support.RunAsync("node", Support.At("monitoring", "grafana", "generate.mjs"), "--check");
        Assert.True(result.Succeeded, result.Output);
    }

    [Fact]
    public void Every_service_has_a_dashboard_and_so_have_the_whole_Dapr_and_the_workflow()
    {
        var dashboards = Directory.GetFiles(Support.At("monitoring", "grafana", "dashboards"), "*.json").Select(f => Path.GetFileNameWithoutExtension(f)!).ToList();
        Assert.Superset((HashSet<string>)[.. LocalRunFile().Apps.Select(a => a.AppId), "overview", "dapr", "workflow"], (HashSet<string>)[.. dashboards]);
    }

    [Fact]
    public void Local_targets_are_the_ports_of_the_run_file()
    {
        var apps = LocalRunFile().Apps;
        Assert.Equal(
            apps.Select(a => $"{a.AppId} localhost:{(a.Environment.TryGetValue("METRICS_PORT", out var port) ? port : a.AppPort!.Value.Number.ToString(CultureInfo.InvariantCulture))}").Order(),
            Targets("services.yml"));
        Assert.Equal(apps.Select(a => $"{a.AppId} localhost:{a.MetricsPort!.Value.Number}").Order(), Targets("sidecars.yml"));
        Assert.Equal([$"platform localhost:{MetricsServer.DefaultPort}"], Targets("platform.yml"));
    }

    [Fact]
    public void Every_alert_is_tested_has_a_severity_and_says_what_it_means_and_what_to_do()
    {
        var tests = File.ReadAllText(Support.At([.. PrometheusFolder, "tests", "alerts.test.yml"]));
        var untested = Query.Rules(Support.Root).Where(r => r.Alert is not null && !tests.Contains($"alertname: {r.Alert}", StringComparison.Ordinal)).Select(r => r.Alert!).ToList();
        Assert.Empty(untested);
        foreach (var rule in Query.Rules(Support.Root).Where(r => r.Alert is not null))
        {
            Assert.Contains(Query.Text((YamlMappingNode)rule.Node["labels"], "severity"), (string[])["page", "ticket"]);
            Assert.NotEmpty(Query.Text((YamlMappingNode)rule.Node["annotations"], "summary")!);
            Assert.StartsWith("docs/operations.md#", Query.Text((YamlMappingNode)rule.Node["annotations"], "runbook"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Recorded_series_that_are_read_are_recorded()
    {
        var recorded = Query.Rules(Support.Root).Select(r => r.Record).OfType<string>().ToHashSet(StringComparer.Ordinal);
        foreach (var query in Query.All(Support.Root))
            Assert.All(query.Metrics.Where(m => m.Contains(':', StringComparison.Ordinal)), m => Assert.True(recorded.Contains(m), $"{query.Where} reads {m}, which nothing records."));
    }

    [Fact]
    public void The_names_in_a_query_are_found()
    {
        var query = new Query("", """sum by (app, le) (rate(a_bucket{x="by(\"{no}\")",y=~"b{c}"}[5m])) / on (z) group_left d:e > 14.4 * 0.5 and histogram_quantile(0.9, f) unless time()""");
        Assert.Equal(["a_bucket", "d:e", "f"], query.Metrics.Order());
        Assert.Equal(["app", "le", "x", "y", "z"], query.Labels.Order());
    }

    [Fact]
    public void The_platform_counts_dead_letters_by_topic_and_restarts_by_app()
    {
        var status = new StackStatus
        {
            Running = true,
            Healthy = false,
            Apps = [new AppStatus { App = "orders", State = UnitState.Waiting, Restarts = 3, SidecarHealthy = true, DaprHttpPort = 1, DaprGrpcPort = 2, ResidentBytes = 5 }],
        };

        var lines = MetricsServer.Write(status, ["b", "a\"x", "b"]).Split('\n');

        Assert.Contains("platform_app_up{app=\"orders\"} 0", lines);
        Assert.Contains("platform_app_restarts_total{app=\"orders\"} 3", lines);
        Assert.Contains("platform_dead_letters{topic=\"b\"} 2", lines);
        Assert.Contains("platform_dead_letters{topic=\"a\\\"x\"} 1", lines);
        Assert.All(lines.Where(l => l.StartsWith("# TYPE", StringComparison.Ordinal)), l => Assert.Matches(@"^# TYPE \w+ (gauge|counter)$", l));
    }

    private static RunFile LocalRunFile() => RunFileReader.Read(Support.At("dapr.yaml"));

    private static IEnumerable<string> Targets(string file) =>
        TargetLine().Matches(File.ReadAllText(Support.At([.. PrometheusFolder, "targets", file]))).Select(m => $"{m.Groups[2].Value} {m.Groups[1].Value}").Order();

    private static async Task PromtoolAsync(params string[] arguments)
    {
        var found = await Support.RunAsync("sh", Support.At("monitoring", "promtool.sh"));
        if (!found.Succeeded)
            Assert.Skip($"skipped: no promtool ({found.Output.Trim()})");
        var result = await Support.RunAsync(found.Output.Trim(), arguments);
        Assert.True(result.Succeeded, result.Output);
    }

    private static YamlStream Load(string file)
    {
        var yaml = new YamlStream();
        using var reader = File.OpenText(file);
        yaml.Load(reader);
        return yaml;
    }

    private static void Strip(YamlNode node, List<string> roles)
    {
        const string key = "kubernetes_sd_configs";
        if (node is YamlMappingNode mapping)
        {
            if (mapping.Children.TryGetValue(new YamlScalarNode(key), out var discoveries))
            {
                roles.AddRange(((YamlSequenceNode)discoveries).Select(d => ((YamlScalarNode)d["role"]).Value!));
                mapping.Children.Remove(new YamlScalarNode(key));
            }

            foreach (var value in mapping.Children.Values)
                Strip(value, roles);
        }
        else if (node is YamlSequenceNode sequence)
        {
            foreach (var item in sequence)
                Strip(item, roles);
        }
    }

    [GeneratedRegex(@"targets: \[([^\]]+)\], labels: \{ app: (\w+) \}")]
    private static partial Regex TargetLine();
}
