// Splits the chart's rendering into the files of k8s/refined:  node write-base.mjs RENDERED RENDERED-WITH-INFRASTRUCTURE FOLDER
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";

const [, , rendered, withServers, folder] = process.argv;
const ofHelm = new Set(["app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/config"]);
const order = ["ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Deployment", "Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Configuration"];
const heads = {
  dapr: "Dapr's components, subscriptions and resiliency. Names, types and scopes are those of components/.",
  monitoring: "For the Prometheus operator; the rules are those of monitoring/prometheus/rules.",
  migration: "Brings the databases to the version of the images, then ends. Overlays name it after their version: a job cannot be changed.",
  quota: "What the namespace may use.",
  network: "Nothing is allowed that is not allowed here or beside a service.",
  platform: "What every service shares.",
};

function read(file) {
  const clean = (value) => {
    if (Array.isArray(value)) value.forEach(clean);
    else if (value && typeof value === "object") for (const key of Object.keys(value)) ofHelm.has(key) ? delete value[key] : clean(value[key]);
  };
  const documents = parseAllDocuments(readFileSync(file, "utf8")).map((d) => d.toJS()).filter(Boolean);
  for (const document of documents) {
    clean(document);
    delete document.metadata.namespace;
  }
  return documents;
}

function fileOf({ kind, metadata: { name, labels } }, services) {
  if (["Component", "Subscription", "Resiliency"].includes(kind)) return "dapr";
  if (["ServiceMonitor", "PodMonitor", "PrometheusRule"].includes(kind)) return "monitoring";
  if (["ResourceQuota", "LimitRange"].includes(kind)) return "quota";
  if (name.startsWith("migration")) return "migration";
  const service = labels?.["app.kubernetes.io/name"];
  if (services.has(service)) return service;
  return kind === "NetworkPolicy" ? "network" : "platform";
}

const rank = (kind) => (order.includes(kind) ? order.indexOf(kind) : order.length);
const write = (file, head, documents) => writeFileSync(file, `# ${head}\n${documents.map((d) => stringify(d, { lineWidth: 160, aliasDuplicateObjects: false })).join("---\n")}`);

const documents = read(rendered);
const services = new Set(documents.filter((d) => d.kind === "Deployment").map((d) => d.metadata.name));
const files = new Map();
for (const document of documents) {
  if (document.kind === "Job") document.metadata.name = "migration";
  const file = fileOf(document, services);
  files.set(file, [...(files.get(file) ?? []), document]);
}
const kept = new Set(["namespace.yaml", "kustomization.yaml"]);
for (const old of readdirSync(join(folder, "base"))) if (!kept.has(old)) rmSync(join(folder, "base", old));
for (const [file, list] of files) {
  list.sort((a, b) => rank(a.kind) - rank(b.kind));
  write(join(folder, "base", `${file}.yaml`), heads[file] ?? `All that belongs to ${file}.`, list);
}
const resources = ["namespace", "platform", "network", "quota", "dapr", ...services, "migration", "monitoring"];
writeFileSync(join(folder, "base", "kustomization.yaml"),
  `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: distributed-systems\nresources:\n${resources.map((r) => `  - ${r}.yaml\n`).join("")}`);

const dev = read(withServers);
write(join(folder, "components", "infrastructure", "servers.yaml"), "For development: one replica of each, in the namespace of the platform.",
  dev.filter((d) => d.metadata.labels?.["app.kubernetes.io/component"] === "infrastructure"));
write(join(folder, "components", "load-test", "job.yaml"), "Made suspended; docs/kubernetes.md says how it is started.",
  dev.filter((d) => d.metadata.labels?.["app.kubernetes.io/name"] === "k6" && d.kind !== "ConfigMap"));
