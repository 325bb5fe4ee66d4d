using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.Kubernetes;

/// <summary>What an installation as a whole must be: closed to the network but for the ways that are needed, able to lose a node, and complete: what is named is there.</summary>
internal static class InstallationPolicy
{
    // Made in the cluster and never here: k8s/create-secrets.sh, the certificate of the ingress.
    private static readonly HashSet<string> OutsideSecrets = ["distributed-systems-secrets", "jwt-signing-key"];

    // Of Dapr's injector.
    private const long SidecarPort = 50002;

    public static IEnumerable<string> Check(IReadOnlyList<Document> documents)
    {
        var deployments = documents.Where(d => d.Kind == "Deployment").ToList();
        return Names(documents)
            .Concat(documents.SelectMany(d => PodPolicy.Check(d, TokenHolders(documents))))
            .Concat(deployments.SelectMany(d => Availability(d, documents)))
            .Concat(Network(documents))
            .Concat(deployments.SelectMany(d => Dapr(d, documents)))
            .Concat(documents.SelectMany(d => References(d, documents)))
            .Concat(documents.Where(d => d.Kind == "Secret").Select(d => $"{d.Title}: values of secrets are made in the cluster, not here"))
            .Concat(Roles(documents));
    }

    private static IEnumerable<string> Names(IReadOnlyList<Document> documents) =>
        documents.GroupBy(d => (d.ApiVersion, d.Kind, d.Name)).Where(g => g.Count() > 1).Select(g => $"{g.Key.Kind} {g.Key.Name} is there {g.Count()} times");

    // Those to whom a role is bound: they ask Kubernetes' API.
    private static HashSet<string> TokenHolders(IReadOnlyList<Document> documents) =>
        [.. documents.Where(d => d.Kind is "RoleBinding" or "ClusterRoleBinding").SelectMany(d => (JsonArray?)d.Content["subjects"] ?? []).Select(s => (string?)s?["name"] ?? "")];

    private static IEnumerable<string> Roles(IReadOnlyList<Document> documents)
    {
        foreach (var role in documents.Where(d => d.Kind is "Role" or "ClusterRole"))
        {
            foreach (var rule in ((JsonArray?)role.Content["rules"] ?? []).OfType<JsonObject>())
            {
                if (Texts(rule["verbs"]).Any(v => v is not ("get" or "list" or "watch")) || Texts(rule["resources"]).Contains("*"))
                    yield return $"{role.Title}: may do more than read";
                if (Texts(rule["resources"]).Contains("secrets") && !Texts(rule["resourceNames"]).Any())
                    yield return $"{role.Title}: may read every secret";
            }
        }
    }

    private static IEnumerable<string> Availability(Document deployment, IReadOnlyList<Document> documents)
    {
        var labels = Labels(deployment.PodTemplate!);
        if (!documents.Any(d => d.Kind == "HorizontalPodAutoscaler" && (string?)d.Spec?["scaleTargetRef"]?["name"] == deployment.Name))
            yield return $"{deployment.Title}: nothing scales it";
        else if (deployment.Spec!["replicas"] is not null)
            yield return $"{deployment.Title}: replicas and an autoscaler contend for its size";
        if (!documents.Any(d => d.Kind == "PodDisruptionBudget" && Selects(d.Spec?["selector"]?["matchLabels"], labels)))
            yield return $"{deployment.Title}: has no PodDisruptionBudget";
        if (!Contains(deployment.Spec!["selector"]?["matchLabels"], labels))
            yield return $"{deployment.Title}: does not select its own pods";
    }

    private static IEnumerable<string> Network(IReadOnlyList<Document> documents)
    {
        var policies = documents.Where(d => d.Kind == "NetworkPolicy").ToList();
        if (!policies.Exists(p => p.Spec?["podSelector"] is JsonObject { Count: 0 } && Texts(p.Spec["policyTypes"]).Order().SequenceEqual(["Egress", "Ingress"]) && p.Spec["ingress"] is null && p.Spec["egress"] is null))
            yield return "no NetworkPolicy denies everything that is not allowed";
        foreach (var policy in policies)
        {
            foreach (var (direction, peers) in new[] { ("ingress", "from"), ("egress", "to") })
            {
                foreach (var rule in ((JsonArray?)policy.Spec?[direction] ?? []).OfType<JsonObject>())
                {
                    if (rule["ports"] is not JsonArray { Count: > 0 })
                        yield return $"{policy.Title}: a rule of {direction} allows every port";
                    // Kubernetes' API has an address of its own, which no selector names.
                    var toApi = direction == "egress" && ((JsonArray?)rule["ports"] ?? []).All(p => (long?)p?["port"] is 443 or 6443);
                    if (rule[peers] is not JsonArray { Count: > 0 } && !toApi)
                        yield return $"{policy.Title}: a rule of {direction} allows everybody";
                    if (((JsonArray?)rule[peers] ?? []).Any(p => p?["podSelector"] is JsonObject { Count: 0 } && p["namespaceSelector"] is null or JsonObject { Count: 0 }))
                        yield return $"{policy.Title}: a rule of {direction} allows every pod";
                }
            }
        }

        foreach (var workload in documents.Where(d => d.PodTemplate is not null))
        {
            if (!policies.Exists(p => p.Spec?["podSelector"]?["matchLabels"] is JsonObject { Count: > 0 } wanted && Selects(wanted, Labels(workload.PodTemplate!))))
                yield return $"{workload.Title}: no NetworkPolicy is for its pods";
        }
    }

    /// <summary>Who may call whom is said twice: by Dapr's access control and by the network. Both must say the same.</summary>
    private static IEnumerable<string> Dapr(Document deployment, IReadOnlyList<Document> documents)
    {
        var annotations = deployment.PodTemplate!["metadata"]?["annotations"] as JsonObject ?? [];
        if ((string?)annotations["dapr.io/enabled"] != "true")
            yield break;
        foreach (var wanted in (string[])["app-id", "app-port", "app-protocol", "config", "log-as-json", "enable-api-logging", "graceful-shutdown-seconds", "enable-app-health-check",
            "sidecar-cpu-limit", "sidecar-memory-limit", "sidecar-cpu-request", "sidecar-memory-request", "sidecar-seccomp-profile-type"])
        {
            if (annotations[$"dapr.io/{wanted}"] is null)
                yield return $"{deployment.Title}: has no annotation dapr.io/{wanted}";
        }

        if (annotations.FirstOrDefault(a => a.Value is not null && a.Value.GetValueKind() != System.Text.Json.JsonValueKind.String) is { Key: { } key })
            yield return $"{deployment.Title}: the annotation {key} is no string";
        var app = (string?)annotations["dapr.io/app-id"] ?? "";
        if (long.TryParse((string?)annotations["dapr.io/app-port"], out var port)
            && !PodPolicy.Containers((JsonObject)deployment.PodTemplate["spec"]!).SelectMany(c => (JsonArray?)c["ports"] ?? []).Any(p => (long?)p?["containerPort"] == port))
            yield return $"{deployment.Title}: Dapr calls port {port}, which no container has";
        var configuration = documents.FirstOrDefault(d => d.Kind == "Configuration" && d.Name == (string?)annotations["dapr.io/config"]);
        if (configuration is null)
        {
            yield return $"{deployment.Title}: its configuration {annotations["dapr.io/config"]} is not there";
            yield break;
        }

        var control = configuration.Spec?["accessControl"];
        if ((string?)control?["defaultAction"] != "deny")
            yield return $"{configuration.Title}: allows every caller";
        var allowed = ((JsonArray?)control?["policies"] ?? []).Select(p => (string?)p?["appId"] ?? "").ToHashSet(StringComparer.Ordinal);
        var reached = documents.Where(d => d.Kind == "NetworkPolicy" && Selects(d.Spec?["podSelector"]?["matchLabels"], Labels(deployment.PodTemplate)) && d.Spec?["podSelector"]?["matchLabels"] is not null)
            .SelectMany(d => (JsonArray?)d.Spec?["ingress"] ?? []).Where(r => ((JsonArray?)r?["ports"] ?? []).Any(p => (long?)p?["port"] == SidecarPort))
            .SelectMany(r => (JsonArray?)r?["from"] ?? []).Select(f => (string?)f?["podSelector"]?["matchLabels"]?["app.kubernetes.io/name"] ?? "").ToHashSet(StringComparer.Ordinal);
        if (!allowed.SetEquals(reached))
            yield return $"{deployment.Title}: Dapr lets {string.Join(", ", allowed.Order())} call {app}, the network {string.Join(", ", reached.Order())}";
    }

    private static IEnumerable<string> References(Document document, IReadOnlyList<Document> documents)
    {
        bool There(string kind, string? name) => documents.Any(d => d.Kind == kind && d.Name == name);
        if (document.PodTemplate?["spec"] is JsonObject pod)
        {
            if (pod["serviceAccountName"] is { } account && !There("ServiceAccount", (string?)account))
                yield return $"{document.Title}: there is no service account {account}";
            foreach (var (kind, name) in PodPolicy.Containers(pod).SelectMany(Sources).Concat(((JsonArray?)pod["volumes"] ?? []).Select(v => ("ConfigMap", (string?)v?["configMap"]?["name"]))))
            {
                if (name is not null && !(kind == "Secret" ? OutsideSecrets.Contains(name) : There(kind, name)))
                    yield return $"{document.Title}: there is no {kind} {name}";
            }
        }

        var apps = documents.Where(d => d.Kind == "Deployment").Select(d => (string?)d.PodTemplate!["metadata"]?["annotations"]?["dapr.io/app-id"]).ToHashSet();
        if (document.ApiVersion.StartsWith("dapr.io/", StringComparison.Ordinal))
        {
            foreach (var scope in Texts(document.Content["scopes"]).Where(s => !apps.Contains(s)))
                yield return $"{document.Title}: there is no app {scope}";
            foreach (var secret in ((JsonArray?)document.Spec?["metadata"] ?? []).Select(m => (string?)m?["secretKeyRef"]?["name"]).OfType<string>().Where(s => !OutsideSecrets.Contains(s)))
                yield return $"{document.Title}: there is no secret {secret}";
            foreach (var item in ((JsonArray?)document.Spec?["metadata"] ?? []).Where(m => ((string?)m?["name"] ?? "").Contains("assword", StringComparison.Ordinal) && m?["value"] is not null))
                yield return $"{document.Title}: {item?["name"]} stands in the text";
        }

        switch (document.Kind)
        {
            case "HorizontalPodAutoscaler" when !There("Deployment", (string?)document.Spec?["scaleTargetRef"]?["name"]):
                yield return $"{document.Title}: scales nothing";
                break;
            case "Service" when !documents.Any(d => d.PodTemplate is { } template && Selects(document.Spec?["selector"], Labels(template))):
                yield return $"{document.Title}: selects no pod";
                break;
            case "RoleBinding" when !There((string?)document.Content["roleRef"]?["kind"] ?? "", (string?)document.Content["roleRef"]?["name"]):
                yield return $"{document.Title}: binds no role";
                break;
            case "Ingress":
                foreach (var service in ((JsonArray?)document.Spec?["rules"] ?? []).SelectMany(r => (JsonArray?)r?["http"]?["paths"] ?? []).Select(p => (string?)p?["backend"]?["service"]?["name"]))
                {
                    if (!There("Service", service))
                        yield return $"{document.Title}: there is no service {service}";
                }

                break;
        }
    }

    private static IEnumerable<(string Kind, string? Name)> Sources(JsonObject container)
    {
        foreach (var source in ((JsonArray?)container["envFrom"] ?? []).Concat(((JsonArray?)container["env"] ?? []).Select(e => e?["valueFrom"])))
        {
            yield return ("ConfigMap", (string?)(source?["configMapRef"] ?? source?["configMapKeyRef"])?["name"]);
            yield return ("Secret", (string?)(source?["secretRef"] ?? source?["secretKeyRef"])?["name"]);
        }
    }

    private static JsonObject Labels(JsonObject template) => template["metadata"]?["labels"] as JsonObject ?? [];

    private static bool Selects(JsonNode? selector, JsonObject labels) => selector is JsonObject { Count: > 0 } && Contains(selector, labels);

    private static bool Contains(JsonNode? selector, JsonObject labels) => selector is JsonObject wanted && wanted.All(w => (string?)labels[w.Key] == (string?)w.Value);

    private static IEnumerable<string> Texts(JsonNode? list) => (list as JsonArray ?? []).Select(t => (string?)t ?? "");
}
