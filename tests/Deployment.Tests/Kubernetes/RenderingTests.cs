using System.Text.Json.Nodes;
using DaprPlatform.Cli.Kubernetes;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Deployment.Tests.Kubernetes;

public sealed class RenderingTests(RenderedFixture rendered) : IClassFixture<RenderedFixture>
{
    // Helm's own labels; kustomize has none.
    private static readonly string[] OfHelm = ["app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/config"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_rendering_is_what_the_schemas_of_Kubernetes_and_Dapr_allow()
    {
        var tools = rendered.Need();
        Assert.Empty((await Lint.SchemaAsync(rendered.Repository, tools, rendered.Renderings, Cancel)).Select(p => p.ToString()));
    }

    [Theory]
    [InlineData("refined/overlays/dev")]
    [InlineData("refined/overlays/stage")]
    [InlineData("refined/overlays/prod")]
    [InlineData("helm dev")]
    [InlineData("helm stage")]
    [InlineData("helm prod")]
    public void Every_installation_keeps_the_rules(string rendering) => Assert.Empty(InstallationPolicy.Check(rendered.Documents(rendering)));

    [Theory]
    [InlineData("apps/v1", "Deployment", """{"replicas":"3","selector":{},"template":{"metadata":{},"spec":{"containers":[{"name":"a"}]}}}""", "must be integer")]
    [InlineData("apps/v1", "Deployment", """{"selector":{},"template":{"metadata":{},"spec":{"containers":[{"name":"a","imagePullPolic":"Always"}]}}}""", "unknown field")]
    [InlineData("networking.k8s.io/v1", "Ingress", """{"rules":[{"http":{"paths":[{"path":"/","backend":{"service":{"name":"a"}}}]}}]}""", "pathType")]
    [InlineData("monitoring.coreos.com/v1", "ServiceMonitor", "{}", "required property")]
    [InlineData("dapr.io/v1alpha1", "Component", """{"type":"pubsub.kafka","version":"v1","metadata":[{"name":"a","value":"b","secretKeyRef":{"name":"c"}}]}""", "exactly one schema")]
    [InlineData("dapr.io/v1alpha1", "Resiliency", """{"policies":{"timeouts":{"a":"5 seconds"}},"targets":{}}""", "pattern")]
    [InlineData("dapr.io/v2alpha1", "Subscription", """{"pubsubname":"p","topic":"t","routes":{},"deadletterTopic":"x"}""", "additional properties")]
    [InlineData("example.com/v1", "Nothing", "{}", "no schema")]
    public async Task A_document_that_the_cluster_would_refuse_is_refused_here(string apiVersion, string kind, string spec, string problem)
    {
        var tools = rendered.Need();
        var document = new JsonObject { ["apiVersion"] = apiVersion, ["kind"] = kind, ["metadata"] = new JsonObject { ["name"] = "x" }, ["spec"] = JsonNode.Parse(spec) };

        var problems = await Lint.SchemaAsync(rendered.Repository, tools, [new Rendering("test", false, document.ToJsonString())], Cancel);

        Assert.Contains(problems, p => p.Problem.Contains(problem, StringComparison.Ordinal));
    }

    [Fact]
    public void The_chart_and_the_refined_base_say_the_same()
    {
        var helm = rendered.Documents("helm").ToDictionary(Key, d => Plain(d.Content));
        var refined = rendered.Documents("refined/base").Where(d => d.Kind != "Namespace").ToDictionary(Key, d => Plain(d.Content));
        Assert.Equal(helm.Keys.Order(), refined.Keys.Order());
        foreach (var (key, content) in helm)
            Assert.True(JsonNode.DeepEquals(content, refined[key]), $"{key} differs: run k8s/sync.sh.\nChart:   {content.ToJsonString()}\nRefined: {refined[key].ToJsonString()}");

        // A job cannot be changed: the chart names it after its version, kustomize in the overlays.
        static string Key(Document d) => $"{d.Kind}/{(d.Kind == "Job" && d.Name.StartsWith("migration", StringComparison.Ordinal) ? "migration" : d.Name)}";
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("stage")]
    [InlineData("prod")]
    public void The_chart_and_the_overlay_of_an_environment_hold_the_same_things(string environment)
    {
        static IEnumerable<string> Keys(IReadOnlyList<Document> documents) => documents.Where(d => d.Kind != "Namespace").Select(d => $"{d.Kind}/{d.Name}").Order();
        var (helm, refined) = (rendered.Documents($"helm {environment}"), rendered.Documents($"refined/overlays/{environment}"));
        Assert.Equal(Keys(helm), Keys(refined));
        Assert.Equal(Images(helm), Images(refined));
        Assert.Equal(Scale(helm), Scale(refined));

        static IEnumerable<string> Images(IReadOnlyList<Document> documents) => documents.Where(d => d.PodTemplate is not null)
            .SelectMany(d => PodPolicy.Containers((JsonObject)d.PodTemplate!["spec"]!)).Select(c => (string)c["image"]!).Distinct().Order();
        static IEnumerable<string> Scale(IReadOnlyList<Document> documents) => documents.Where(d => d.Kind == "HorizontalPodAutoscaler")
            .Select(d => $"{d.Name} {d.Spec!["minReplicas"]} {d.Spec["maxReplicas"]} {d.Spec["metrics"]!.AsArray().Count}").Order();
    }

    [Fact]
    public void The_names_are_those_that_were_promised()
    {
        var documents = rendered.Documents("refined/overlays/prod");
        foreach (var (kind, name) in new[] { ("Namespace", "distributed-systems"), ("ServiceAccount", "distributed-systems-app"), ("ConfigMap", "distributed-systems-config") })
            Assert.Contains(documents, d => d.Kind == kind && d.Name == name);
        Assert.All(documents.Where(d => d.Kind != "Namespace"), d => Assert.Equal("distributed-systems", (string?)d.Content["metadata"]!["namespace"]));
    }

    [Theory]
    [InlineData("helm")]
    [InlineData("refined/base")]
    public void Components_subscriptions_and_policies_are_those_of_the_local_platform(string rendering)
    {
        var cluster = rendered.Documents(rendering).Where(d => d.ApiVersion.StartsWith("dapr.io/", StringComparison.Ordinal)).ToDictionary(d => $"{d.Kind}/{d.Name}");
        foreach (var local in Directory.GetFiles(Support.At("components"), "*.yaml").SelectMany(f => Document.Parse(File.ReadAllText(f), f)))
        {
            Assert.True(cluster.TryGetValue($"{local.Kind}/{local.Name}", out var other), $"{local.Title} is not in the cluster.");
            Assert.Equal(Texts(local.Content["scopes"]), Texts(other!.Content["scopes"]));
            if (local.Kind != "Component")
            {
                Assert.True(JsonNode.DeepEquals(local.Spec, other.Spec), local.Title);
                continue;
            }

            Assert.Equal((string?)local.Spec!["version"], (string?)other.Spec!["version"]);
            if (local.Name == "secretstore")
                continue; // A file there, Kubernetes' secrets here.
            Assert.Equal((string?)local.Spec["type"], (string?)other.Spec["type"]);
            foreach (var item in local.Spec["metadata"]!.AsArray().Where(i => (string?)i!["name"] is "keyPrefixPath" or "actorStateStore" or "initialOffset" or "publishingScopes" or "subscriptionScopes"))
                Assert.Equal((string?)item!["value"], other.Spec["metadata"]!.AsArray().Where(o => (string?)o!["name"] == (string?)item["name"]).Select(o => (string?)o!["value"]).Single());
        }
    }

    [Fact]
    public void Copies_in_the_chart_and_in_components_are_what_they_copy()
    {
        foreach (var rules in Directory.GetFiles(Support.At("monitoring", "prometheus", "rules")))
            Same(rules, Support.At("k8s", "helm", "files", Path.GetFileName(rules)));
        foreach (var component in Directory.GetFiles(Support.At("components"), "*.yaml"))
            Same(component, Support.At("k8s", "helm", "files", "components", Path.GetFileName(component)));
        foreach (var script in (string[])["script.js", "scenario.json"])
        {
            Same(Support.At("loadtest", script), Support.At("k8s", "helm", "files", script));
            Same(Support.At("loadtest", script), Support.At("k8s", "refined", "components", "load-test", script));
        }

        static void Same(string source, string copy) =>
            Assert.True(File.Exists(copy) && File.ReadAllText(source) == File.ReadAllText(copy), $"{copy} is not {source}: run k8s/sync.sh");
    }

    [Fact]
    public async Task The_starting_points_are_those_that_kubectl_writes()
    {
        var kubectl = rendered.Need().Kubectl!;
        var folder = Directory.CreateTempSubdirectory("platform-generated-");
        try
        {
            var result = await ToolRun.RunAsync("sh", [Support.At("k8s", "generated", "generate.sh"), folder.FullName], Support.Root, Cancel,
                new Dictionary<string, string> { ["KUBECTL"] = kubectl }, limit: TimeSpan.FromMinutes(5));
            Assert.True(result.Succeeded, result.Output);
            foreach (var file in (string[])["app-deployment.yaml", "app-service.yaml", "postgres-deployment.yaml"])
                Assert.Equal(await File.ReadAllTextAsync(Support.At("k8s", "generated", file), Cancel), await File.ReadAllTextAsync(Path.Combine(folder.FullName, file), Cancel));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Secrets_are_made_with_values_that_are_never_the_same()
    {
        var tools = rendered.Need();
        var first = await SecretsAsync(tools.Kubectl!);
        var second = await SecretsAsync(tools.Kubectl!);

        Assert.Empty(await Lint.SchemaAsync(rendered.Repository, tools, [new Rendering("secrets", false, first)], Cancel));
        var (one, two) = (Values(first), Values(second));
        Assert.Equal(
            ["distributed-systems-secrets/kafka-password", "distributed-systems-secrets/postgres-password", "distributed-systems-secrets/redis-password",
                "distributed-systems-secrets/seed-admin-email", "distributed-systems-secrets/seed-admin-password", "jwt-signing-key/jwt-signing-key"], one.Keys.Order());
        Assert.All(one.Where(v => !v.Key.EndsWith("email", StringComparison.Ordinal)), v => Assert.NotEqual(v.Value, two[v.Key]));
        Assert.Contains("BEGIN PRIVATE KEY", System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(one["jwt-signing-key/jwt-signing-key"])), StringComparison.Ordinal);

        async Task<string> SecretsAsync(string kubectl)
        {
            var result = await ToolRun.RunAsync("sh", [Support.At("k8s", "create-secrets.sh"), "--admin", "ops@example.test", "--print"], Support.Root, Cancel,
                new Dictionary<string, string> { ["KUBECTL"] = kubectl }, limit: TimeSpan.FromMinutes(5));
            if (result.Output.Contains("openssl is missing", StringComparison.Ordinal))
                Assert.Skip("skipped: no openssl");
            Assert.True(result.Succeeded, result.Output);
            return result.Output;
        }

        static Dictionary<string, string> Values(string text) => Document.Parse(text, "secrets")
            .SelectMany(d => d.Content["data"]!.AsObject().Select(v => KeyValuePair.Create($"{d.Name}/{v.Key}", (string)v.Value!))).ToDictionary();
    }

    [Theory]
    [InlineData("image.tag=latest", "/image/tag")]
    [InlineData("config.DB_PASSWORD=x", "DB_PASSWORD")]
    [InlineData("services.users.port=0", "/services/users/port")]
    [InlineData("services.users.callss={orders}", "callss")]
    [InlineData("environment=live", "/environment")]
    [InlineData("kafka.brokers=kafka", "/kafka/brokers")]
    [InlineData("nothing=1", "nothing")]
    public async Task Values_that_make_no_sense_are_refused_by_their_schema(string setting, string where)
    {
        var helm = rendered.Need().Helm!;
        var result = await KubernetesTools.RunAsync(helm, ["template", "x", Support.At("k8s", "helm"), "--set", setting], Support.Root, Cancel);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(where, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_charts_dependency_is_found_without_a_network()
    {
        var helm = rendered.Need().Helm!;
        var folder = Directory.CreateTempSubdirectory("platform-chart-");
        try
        {
            foreach (var file in Directory.GetFiles(Support.At("k8s", "helm"), "*", SearchOption.AllDirectories))
            {
                var to = Path.Combine(folder.FullName, Path.GetRelativePath(Support.At("k8s", "helm"), file));
                Directory.CreateDirectory(Path.GetDirectoryName(to)!);
                File.Copy(file, to);
            }

            var result = await KubernetesTools.RunAsync(helm, ["dependency", "update", folder.FullName], Support.Root, Cancel);
            Assert.True(result.Succeeded, result.Output);
            Assert.True(File.Exists(Path.Combine(folder.FullName, "charts", "infrastructure-1.0.0.tgz")), result.Output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static JsonNode Plain(JsonObject content)
    {
        var copy = content.DeepClone().AsObject();
        copy["metadata"]!.AsObject().Remove("namespace");
        copy["metadata"]!.AsObject().Remove("name");
        Strip(copy);
        return copy;

        static void Strip(JsonNode? node)
        {
            if (node is JsonObject members)
            {
                foreach (var label in OfHelm)
                    members.Remove(label);
                // An empty list or map says what its absence says.
                foreach (var empty in members.Where(m => m.Value is null).Select(m => m.Key).ToList())
                    members.Remove(empty);
                foreach (var value in members.Select(m => m.Value))
                    Strip(value);
            }
            else if (node is JsonArray items)
            {
                foreach (var item in items)
                    Strip(item);
            }
        }
    }

    private static IEnumerable<string> Texts(JsonNode? list) => (list as JsonArray ?? []).Select(t => (string)t!);
}
