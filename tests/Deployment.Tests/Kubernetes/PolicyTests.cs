using System.Text.Json.Nodes;
using DaprPlatform.Cli.Kubernetes;

namespace DaprPlatform.Deployment.Tests.Kubernetes;

/// <summary>Each rule by a good installation in which one thing is wrong.</summary>
public sealed class PolicyTests(RenderedFixture rendered) : IClassFixture<RenderedFixture>
{
    private const string Pod = "Deployment/orders:spec/template/spec";
    private const string Container = Pod + "/containers/0";

    [Theory]
    [InlineData(Pod + "/securityContext/runAsNonRoot", "false", "runAsNonRoot is not set")]
    [InlineData(Pod + "/securityContext/runAsUser", "0", "runAsUser is missing or root")]
    [InlineData(Pod + "/securityContext/seccompProfile/type", "\"Unconfined\"", "seccompProfile is not RuntimeDefault")]
    [InlineData(Pod + "/hostNetwork", "true", "hostNetwork is set")]
    [InlineData(Pod + "/automountServiceAccountToken", "true", "holds a token")]
    [InlineData(Pod + "/topologySpreadConstraints", "[]", "no topologySpreadConstraints")]
    [InlineData(Pod + "/volumes/0", """{"name":"tmp","hostPath":{"path":"/"}}""", "mounts a path of the node")]
    [InlineData(Pod + "/serviceAccountName", "\"nobody\"", "there is no service account nobody")]
    [InlineData(Container + "/securityContext/allowPrivilegeEscalation", "true", "allowPrivilegeEscalation is not false")]
    [InlineData(Container + "/securityContext/privileged", "true", "is privileged")]
    [InlineData(Container + "/securityContext/readOnlyRootFilesystem", "false", "readOnlyRootFilesystem is not set")]
    [InlineData(Container + "/securityContext/capabilities/drop", "[\"NET_RAW\"]", "does not drop all capabilities")]
    [InlineData(Container + "/securityContext/capabilities/add", "[\"NET_ADMIN\"]", "adds capabilities")]
    [InlineData(Container + "/securityContext/runAsUser", "0", "takes back")]
    [InlineData(Container + "/resources/limits", "{\"cpu\":1}", "has no limits of memory")]
    [InlineData(Container + "/image", "\"daprplatform/orders:latest\"", "names no version")]
    [InlineData(Container + "/image", "\"daprplatform/orders\"", "names no version")]
    [InlineData(Container + "/env/0", """{"name":"POSTGRES_PASSWORD","value":"hunter2"}""", "POSTGRES_PASSWORD stands in the text")]
    [InlineData(Container + "/livenessProbe", "null", "has no livenessProbe")]
    [InlineData(Container + "/readinessProbe", "null", "has no readinessProbe")]
    [InlineData(Container + "/envFrom/0/configMapRef/name", "\"other\"", "there is no ConfigMap other")]
    [InlineData("Deployment/orders:spec/replicas", "3", "contend for its size")]
    [InlineData("Deployment/orders:spec/template/metadata/annotations/dapr.io~1app-port", "\"1\"", "Dapr calls port 1, which no container has")]
    [InlineData("Deployment/orders:spec/template/metadata/annotations/dapr.io~1config", "\"daprplatform\"", "its configuration daprplatform is not there")]
    [InlineData("Deployment/orders:spec/template/metadata/annotations/dapr.io~1graceful-shutdown-seconds", "null", "has no annotation dapr.io/graceful-shutdown-seconds")]
    [InlineData("Deployment/orders:spec/template/metadata/annotations/dapr.io~1enable-metrics", "true", "is no string")]
    [InlineData("HorizontalPodAutoscaler/orders:spec/scaleTargetRef/name", "\"order\"", "nothing scales it")]
    [InlineData("PodDisruptionBudget/orders:spec/selector/matchLabels/app.kubernetes.io~1name", "\"order\"", "has no PodDisruptionBudget")]
    [InlineData("NetworkPolicy/default-deny:spec/policyTypes", "[\"Ingress\"]", "no NetworkPolicy denies everything")]
    [InlineData("NetworkPolicy/default-deny:spec/egress", "[{}]", "no NetworkPolicy denies everything")]
    [InlineData("NetworkPolicy/orders:spec/podSelector/matchLabels/app.kubernetes.io~1name", "\"order\"", "no NetworkPolicy is for its pods")]
    [InlineData("NetworkPolicy/orders:spec/egress/0/to", "null", "a rule of egress allows everybody")]
    [InlineData("NetworkPolicy/orders:spec/egress/0/ports", "null", "a rule of egress allows every port")]
    [InlineData("NetworkPolicy/orders:spec/ingress/0/from", "[{\"podSelector\":{}}]", "a rule of ingress allows every pod")]
    [InlineData("Configuration/daprplatform-orders:spec/accessControl/defaultAction", "\"allow\"", "allows every caller")]
    [InlineData("Configuration/daprplatform-orders:spec/accessControl/policies/0/appId", "\"basket\"", "Dapr lets")]
    [InlineData("Component/pubsub:spec/metadata/0", """{"name":"saslPassword","value":"hunter2"}""", "saslPassword stands in the text")]
    [InlineData("Component/statestore:scopes/0", "\"nobody\"", "there is no app nobody")]
    [InlineData("Service/orders:spec/selector/app.kubernetes.io~1name", "\"order\"", "selects no pod")]
    [InlineData("Role/distributed-systems-users:rules/0/resourceNames", "null", "may read every secret")]
    [InlineData("Role/distributed-systems-users:rules/0/verbs", "[\"*\"]", "may do more than read")]
    [InlineData("Ingress/gateway:spec/rules/0/http/paths/0/backend/service/name", "\"web\"", "there is no service web")]
    public void One_wrong_thing_is_seen(string where, string value, string problem)
    {
        var documents = rendered.Documents("helm prod");
        Set(documents, where, JsonNode.Parse(value));

        Assert.Contains(InstallationPolicy.Check(documents), p => p.Contains(problem, StringComparison.Ordinal));
    }

    [Fact]
    public void A_secret_with_its_value_is_seen()
    {
        var secret = new Document(JsonNode.Parse("""{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"},"stringData":{"a":"b"}}""")!.AsObject());
        Assert.Contains(InstallationPolicy.Check([.. rendered.Documents("helm prod"), secret]), p => p.Contains("values of secrets", StringComparison.Ordinal));
    }

    private static void Set(IReadOnlyList<Document> documents, string where, JsonNode? value)
    {
        var (title, path) = (where[..where.IndexOf(':', StringComparison.Ordinal)].Split('/'), where[(where.IndexOf(':', StringComparison.Ordinal) + 1)..].Split('/'));
        JsonNode at = documents.Single(d => d.Kind == title[0] && d.Name == title[1]).Content;
        foreach (var step in path[..^1])
            at = at is JsonArray list ? list[int.Parse(step, System.Globalization.CultureInfo.InvariantCulture)]! : at[step.Replace("~1", "/", StringComparison.Ordinal)]!;
        var last = path[^1].Replace("~1", "/", StringComparison.Ordinal);
        if (at is JsonArray items)
            items[int.Parse(last, System.Globalization.CultureInfo.InvariantCulture)] = value;
        else
            at[last] = value;
    }
}
