using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace DaprPlatform.Cli.Kubernetes;

/// <summary>What every pod of an installation must be: not root, no capability, a root file system that is read only, bounded, probed, and without a secret in its text.</summary>
internal static partial class PodPolicy
{
    public static IEnumerable<string> Check(Document document, IReadOnlySet<string> mayHoldToken)
    {
        if (document.PodTemplate is not { } template)
            yield break;
        var pod = template["spec"] as JsonObject ?? [];
        foreach (var problem in OfPod(document, pod, mayHoldToken))
            yield return $"{document.Title}: {problem}";
        foreach (var container in Containers(pod))
        {
            foreach (var problem in OfContainer(pod, container).Concat(Probes(document, container)))
                yield return $"{document.Title}, container {container["name"]}: {problem}";
        }
    }

    public static IEnumerable<JsonObject> Containers(JsonObject pod) =>
        ((JsonArray?)pod["initContainers"] ?? []).Concat((JsonArray?)pod["containers"] ?? []).OfType<JsonObject>();

    private static IEnumerable<string> OfPod(Document document, JsonObject pod, IReadOnlySet<string> mayHoldToken)
    {
        foreach (var flag in (string[])["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"])
        {
            if ((bool?)pod[flag] == true)
                yield return $"{flag} is set";
        }

        if (((JsonArray?)pod["volumes"] ?? []).Any(v => v?["hostPath"] is not null))
            yield return "mounts a path of the node";
        if ((bool?)pod["securityContext"]?["runAsNonRoot"] != true)
            yield return "runAsNonRoot is not set";
        if (((long?)pod["securityContext"]?["runAsUser"] ?? 0) == 0)
            yield return "runAsUser is missing or root";
        if ((string?)pod["securityContext"]?["seccompProfile"]?["type"] != "RuntimeDefault")
            yield return "seccompProfile is not RuntimeDefault";
        if ((bool?)pod["automountServiceAccountToken"] != false && !mayHoldToken.Contains((string?)pod["serviceAccountName"] ?? "default"))
            yield return "holds a token of its service account without need";
        if (document.Kind == "Deployment" && (pod["topologySpreadConstraints"] as JsonArray)?.Count is null or 0)
            yield return "has no topologySpreadConstraints";
    }

    private static IEnumerable<string> OfContainer(JsonObject pod, JsonObject container)
    {
        var security = container["securityContext"] as JsonObject ?? [];
        if ((bool?)security["allowPrivilegeEscalation"] != false)
            yield return "allowPrivilegeEscalation is not false";
        if ((bool?)security["privileged"] == true)
            yield return "is privileged";
        if ((bool?)security["readOnlyRootFilesystem"] != true)
            yield return "readOnlyRootFilesystem is not set";
        if (security["capabilities"]?["drop"] is not JsonArray drop || !drop.Any(d => (string?)d == "ALL"))
            yield return "does not drop all capabilities";
        if (security["capabilities"]?["add"] is JsonArray { Count: > 0 })
            yield return "adds capabilities";
        if ((bool?)security["runAsNonRoot"] == false || (long?)security["runAsUser"] == 0)
            yield return "takes back what the pod says of its user";
        foreach (var (kind, resource) in new[] { ("requests", "cpu"), ("requests", "memory"), ("limits", "cpu"), ("limits", "memory") })
        {
            if (container["resources"]?[kind]?[resource] is null)
                yield return $"has no {kind} of {resource}";
        }

        var image = (string?)container["image"] ?? "";
        if (!Pinned().IsMatch(image) || image.EndsWith(":latest", StringComparison.Ordinal))
            yield return $"its image {image} names no version";
        foreach (var variable in ((JsonArray?)container["env"] ?? []).OfType<JsonObject>())
        {
            if (SecretName().IsMatch((string?)variable["name"] ?? "") && variable["value"] is not null)
                yield return $"{variable["name"]} stands in the text";
        }

        // What must be written goes to a volume; a mount without its volume is refused by Kubernetes when it is too late.
        var volumes = ((JsonArray?)pod["volumes"] ?? []).Select(v => (string?)v?["name"]).ToHashSet();
        foreach (var mount in ((JsonArray?)container["volumeMounts"] ?? []).Where(m => !volumes.Contains((string?)m?["name"]) && (string?)m?["name"] != "data"))
            yield return $"mounts {mount?["name"]}, which is no volume of the pod";
    }

    private static IEnumerable<string> Probes(Document document, JsonObject container)
    {
        if (document.Kind is not ("Deployment" or "StatefulSet" or "DaemonSet"))
            yield break;
        foreach (var probe in (string[])["startupProbe", "livenessProbe", "readinessProbe"])
        {
            if (container[probe] is null)
                yield return $"has no {probe}";
        }
    }

    [GeneratedRegex("^[^\\s@]+(:[\\w][\\w.-]*|@sha256:[0-9a-f]{64})$")]
    private static partial Regex Pinned();

    // A lifetime of a token is no secret.
    [GeneratedRegex("(PASSWORD|SECRET|TOKEN|APIKEY|API_KEY|PRIVATE_KEY)$")]
    private static partial Regex SecretName();
}
