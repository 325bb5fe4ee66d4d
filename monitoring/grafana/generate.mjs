// Writes the dashboards from the short descriptions in this file:  node monitoring/grafana/generate.mjs
// With --check it writes nothing and fails when a file is not what it would write.
import { readFileSync, writeFileSync, readdirSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "dashboards");
const source = { type: "prometheus", uid: "prometheus" };
const WIDTH = 24;

const query = (expr, legend, i) => ({ datasource: source, expr, legendFormat: legend ?? "__auto", refId: String.fromCharCode(65 + i) });
const panel = (type, title, unit, targets, size, more = {}) => ({
  type, title, size, datasource: source,
  targets: targets.map(([expr, legend], i) => query(expr, legend, i)),
  fieldConfig: { defaults: { unit, min: 0, ...more.defaults }, overrides: [] },
  options: more.options ?? {},
});
const thresholds = (...steps) => ({ color: { mode: "thresholds" }, thresholds: { mode: "absolute", steps: steps.map(([value, color]) => ({ value, color })) } });
const stat = (title, unit, expr, defaults = {}) =>
  panel("stat", title, unit, [[expr]], [4, 4], { defaults, options: { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "area" } });
const lines = (title, unit, ...targets) =>
  panel("timeseries", title, unit, targets, [12, 8], { options: { legend: { displayMode: "table", placement: "bottom", calcs: ["mean", "max", "lastNotNull"] }, tooltip: { mode: "multi", sort: "desc" } } });
const pie = (title, expr, legend) =>
  panel("piechart", title, "short", [[expr, legend]], [8, 8], { options: { reduceOptions: { calcs: ["lastNotNull"] }, legend: { displayMode: "table", placement: "right", values: ["value", "percent"] } } });
const quantiles = (metric, selector = "", by = "") => [0.5, 0.95, 0.99].map((q) => [
  `histogram_quantile(${q}, sum by (${by ? `${by}, ` : ""}le) (rate(${metric}_bucket${selector}[5m])))`, `p${q * 100}${by ? ` {{${by}}}` : ""}`]);
const average = (metric, selector = "") => [`sum(rate(${metric}_sum${selector}[5m])) / sum(rate(${metric}_count${selector}[5m]))`, "average"];

const good = [null, "green"];
const upStat = (app) => stat("Up", "short", `sum(up{app="${app}",job="services"})`, thresholds([null, "red"], [1, "green"]));

/** What every C# service has. */
function service(app, ...own) {
  const of = `{service="${app}"}`;
  return {
    uid: `platform-${app}`, title: app[0].toUpperCase() + app.slice(1), tags: ["service"],
    panels: [
      upStat(app),
      stat("Requests", "reqps", `sum(rate(http_requests_total${of}[5m]))`),
      stat("Errors", "percentunit", `service:http_request_errors:ratio_rate5m${of}`, thresholds(good, [0.001, "orange"], [0.01, "red"])),
      stat("p95", "s", `service:http_request_duration_seconds:p95_5m${of}`, thresholds(good, [0.25, "orange"], [0.5, "red"])),
      stat("Requests in this range", "short", `sum(increase(http_requests_total${of}[$__range]))`),
      stat("Memory", "bytes", `sum(dotnet_process_memory_working_set_bytes{app="${app}"})`),
      ...own,
      lines("Requests by endpoint", "reqps", [`sum by (method, endpoint) (rate(http_requests_total${of}[5m]))`, "{{method}} {{endpoint}}"]),
      lines("Time to answer", "s", average("http_request_duration_seconds", of), ...quantiles("http_request_duration_seconds", of)),
      pie("Answers by status", `sum by (status_code) (increase(http_requests_total${of}[$__range]))`, "{{status_code}}"),
      pie("Requests by endpoint", `sum by (endpoint) (increase(http_requests_total${of}[$__range]))`, "{{endpoint}}"),
      { ...lines("Processor time", "percentunit", [`sum by (instance) (rate(dotnet_process_cpu_time_seconds_total{app="${app}"}[5m]))`, "{{instance}}"]), size: [8, 8] },
      { ...lines("Garbage collector", "percentunit", [`rate(dotnet_gc_pause_time_seconds_total{app="${app}"}[5m])`, "pauses {{instance}}"]), size: [12, 8] },
      // Gauges, which .NET calls counters.
      { ...lines("Thread pool", "short", [`dotnet_thread_pool_queue_length_total{app="${app}"}`, "queue {{instance}}"], [`dotnet_thread_pool_thread_count_total{app="${app}"}`, "threads {{instance}}"]), size: [12, 8] },
    ],
  };
}
const outbox = (app) => [
  lines("Outbox: published", "eps", [`sum(rate(outbox_published_total{service="${app}"}[5m]))`, "published"], [`sum(rate(outbox_publish_failures_total{service="${app}"}[5m]))`, "failed batches"]),
  lines("Outbox: lag", "s", ...quantiles("outbox_lag_seconds", `{service="${app}"}`), [`max(outbox_oldest_pending_seconds{service="${app}"})`, "oldest that waits"]),
];
const received = (app) => lines("Events received", "eps", [`sum by (topic, status) (rate(events_received_total{${app === "notifications" ? "app" : "service"}="${app}"}[5m]))`, "{{topic}} {{status}}"]);

const dashboards = {
  overview: {
    uid: "platform-overview", title: "Platform overview", tags: ["overview"],
    panels: [
      stat("Services up", "short", 'sum(up{job="services"})'),
      stat("Sidecars up", "short", 'sum(up{job="sidecars"})'),
      stat("Orders per second", "ops", 'sum(rate(order_events_total{status="PENDING"}[5m]))'),
      stat("Errors at the gateway", "percentunit", 'service:http_request_errors:ratio_rate5m{service="gateway"}', thresholds(good, [0.001, "orange"], [0.0144, "red"])),
      stat("Order p95", "s", "orders:order_workflow_duration_seconds:p95_5m", thresholds(good, [1, "orange"], [10, "red"])),
      stat("Dead letters", "short", "sum(topic:dead_letters:count) or vector(0)", thresholds(good, [1, "orange"], [100, "red"])),
      stat("Oldest stuck order", "s", "max(order_oldest_stuck_seconds)", thresholds(good, [60, "orange"], [300, "red"])),
      stat("Reservations overdue", "short", "max(stock_reservations_overdue)", thresholds(good, [1, "red"])),
      stat("Oldest event in an outbox", "s", "max(outbox_oldest_pending_seconds)", thresholds(good, [10, "orange"], [60, "red"])),
      stat("Budget burnt, 1 h", "none", 'service:http_request_errors:ratio_rate1h{service="gateway"} / 0.001', thresholds(good, [6, "orange"], [14.4, "red"])),
      stat("Alerts", "short", 'count(ALERTS{alertstate="firing"}) or vector(0)', thresholds(good, [1, "red"])),
      stat("Memory", "bytes", 'sum(dotnet_process_memory_working_set_bytes) + sum(process_resident_memory_bytes{app="notifications"})'),
      lines("Requests", "reqps", ["service:http_requests:rate5m", "{{service}}"]),
      lines("p95 of requests", "s", ["service:http_request_duration_seconds:p95_5m", "{{service}}"]),
      lines("Share of errors", "percentunit", ["service:http_request_errors:ratio_rate5m", "{{service}}"]),
      lines("Orders by status", "ops", ["sum by (status) (rate(order_events_total[5m]))", "{{status}}"]),
      pie("Orders in this range", "sum by (status) (increase(order_events_total[$__range]))", "{{status}}"),
      pie("Why orders were given up", "sum by (failure_reason) (increase(order_compensations_total[$__range]))", "{{failure_reason}}"),
      pie("Payments", "sum by (status) (increase(payment_succeeded_total[$__range]))", "{{status}}"),
    ],
  },
  gateway: service("gateway", stat("Slow answers, 1 h", "percentunit", "gateway:http_request_slow:ratio_rate1h", thresholds(good, [0.01, "orange"], [0.144, "red"])),
    stat("Refused by limits", "reqps", 'sum(rate(http_requests_total{service="gateway",status_code="429"}[5m])) or vector(0)')),
  users: service("users", ...outbox("users"),
    lines("Accounts", "ops", ["sum by (action, reason) (rate(entity_events_total[5m]))", "{{action}} {{reason}}"]),
    pie("Sign-in", 'sum by (action) (increase(entity_events_total{action=~"login_.*"}[$__range]))', "{{action}}")),
  orders: service("orders", ...outbox("orders"),
    lines("Orders", "ops", ["sum by (status) (rate(order_events_total[5m]))", "{{status}}"]),
    lines("From accepted to decided", "s", average("order_workflow_duration_seconds"), ...quantiles("order_workflow_duration_seconds")),
    stat("Oldest stuck order", "s", "max(order_oldest_stuck_seconds)", thresholds(good, [60, "orange"], [300, "red"])),
    stat("Workflows rescued", "short", "sum(increase(order_workflows_rescued_total[$__range]))"),
    pie("Why orders were given up", "sum by (failure_reason) (increase(order_compensations_total[$__range]))", "{{failure_reason}}"),
    received("orders")),
  inventory: service("inventory", ...outbox("inventory"),
    lines("Steps on stock", "ops", ["sum by (method, status) (rate(stock_operations_total[5m]))", "{{method}} {{status}}"]),
    pie("Steps by outcome", "sum by (method, status) (increase(stock_operations_total[$__range]))", "{{method}} {{status}}"),
    stat("Reservations overdue", "short", "max(stock_reservations_overdue)", thresholds(good, [1, "red"])),
    stat("Reservations expired", "short", "sum(increase(stock_reservations_expired_total[$__range]))")),
  payments: service("payments", ...outbox("payments"),
    lines("Payments", "ops", ["sum by (method, status) (rate(payment_succeeded_total[5m]))", "{{method}} {{status}}"], ["sum by (method, failure_reason) (rate(payment_failed_total[5m]))", "{{method}} {{failure_reason}}"]),
    lines("Time to decide a payment", "s", average("payment_processing_duration_seconds"), ...quantiles("payment_processing_duration_seconds")),
    pie("Why payments failed", "sum by (failure_reason) (increase(payment_failed_total[$__range]))", "{{failure_reason}}"),
    stat("Failed, 10 min", "percentunit", "payments:payment_failed:ratio_rate10m"),
    stat("Failed, 6 h", "percentunit", "payments:payment_failed:ratio_rate6h")),
  webhooks: service("webhooks", received("webhooks"),
    lines("Attempts by class of answer", "ops", ["sum by (status) (rate(webhook_attempts_total[5m]))", "{{status}}"]),
    lines("Time of an attempt", "s", average("webhook_attempt_duration_seconds"), ...quantiles("webhook_attempt_duration_seconds")),
    pie("What became of deliveries", "sum by (status) (increase(webhook_deliveries_total[$__range]))", "{{status}}")),
  basket: service("basket", received("basket"), lines("Baskets", "ops", ["sum by (status) (rate(basket_events_total[5m]))", "{{status}}"])),
  notifications: {
    uid: "platform-notifications", title: "Notifications", tags: ["service"],
    panels: [
      upStat("notifications"),
      stat("Requests", "reqps", 'sum(rate(http_requests_total{app="notifications"}[5m]))'),
      stat("Messages in this range", "short", "sum(increase(messages_sent_total[$__range]))"),
      stat("Memory", "bytes", 'sum(process_resident_memory_bytes{app="notifications"})'),
      stat("Runs for", "s", 'time() - max(process_start_time_seconds{app="notifications"})'),
      lines("Messages", "ops", ["sum by (type) (rate(messages_sent_total[5m]))", "{{type}}"]),
      received("notifications"),
      lines("Requests by endpoint", "reqps", ['sum by (method, endpoint) (rate(http_requests_total{app="notifications"}[5m]))', "{{method}} {{endpoint}}"]),
      pie("Messages by type", "sum by (type) (increase(messages_sent_total[$__range]))", "{{type}}"),
    ],
  },
  dapr: {
    uid: "platform-dapr", title: "Dapr", tags: ["dapr"],
    panels: [
      stat("Sidecars up", "short", 'sum(up{job="sidecars"})'),
      stat("Components loaded", "short", "sum(dapr_runtime_component_loaded)"),
      stat("Breakers open", "short", 'sum(dapr_resiliency_cb_state{status="open"}) or vector(0)', thresholds(good, [1, "red"])),
      stat("Invocations", "reqps", "sum(rate(dapr_runtime_service_invocation_req_sent_total[5m]))"),
      stat("Published", "eps", "sum(rate(dapr_component_pubsub_egress_count[5m])) + (sum(rate(dapr_component_pubsub_egress_bulk_event_count[5m])) or vector(0))"),
      stat("Delivered", "eps", "sum(rate(dapr_component_pubsub_ingress_bulk_event_count[5m])) + (sum(rate(dapr_component_pubsub_ingress_count[5m])) or vector(0))"),
      lines("Invocations", "reqps", ["sum by (app_id, dst_app_id) (rate(dapr_runtime_service_invocation_req_sent_total[5m]))", "{{app_id}} to {{dst_app_id}}"]),
      lines("gRPC at the sidecars", "reqps", ["sum by (app_id, grpc_server_method) (rate(dapr_grpc_io_server_completed_rpcs[5m]))", "{{app_id}} {{grpc_server_method}}"]),
      lines("gRPC failures", "reqps", ['sum by (app_id, grpc_server_method, grpc_server_status) (rate(dapr_grpc_io_server_completed_rpcs{grpc_server_status!="OK"}[5m]))', "{{app_id}} {{grpc_server_method}} {{grpc_server_status}}"]),
      lines("gRPC p95", "ms", ["histogram_quantile(0.95, sum by (app_id, le) (rate(dapr_grpc_io_server_server_latency_bucket[5m])))", "{{app_id}}"]),
      lines("State", "ops", ["sum by (app_id, component, operation) (rate(dapr_component_state_count[5m]))", "{{app_id}} {{component}} {{operation}}"]),
      lines("State p95", "ms", ["histogram_quantile(0.95, sum by (component, operation, le) (rate(dapr_component_state_latencies_bucket[5m])))", "{{component}} {{operation}}"]),
      lines("Deliveries by outcome", "eps", ["sum by (app_id, topic, process_status) (rate(dapr_component_pubsub_ingress_bulk_event_count[5m]))", "{{app_id}} {{topic}} {{process_status}}"],
        ["sum by (app_id, topic, process_status) (rate(dapr_component_pubsub_ingress_count[5m]))", "{{app_id}} {{topic}} {{process_status}}, one by one"]),
      lines("Delivery p95", "ms", ["histogram_quantile(0.95, sum by (app_id, topic, le) (rate(dapr_component_pubsub_ingress_bulk_latencies_bucket[5m])))", "{{app_id}} {{topic}}"],
        ["histogram_quantile(0.95, sum by (app_id, topic, le) (rate(dapr_component_pubsub_ingress_latencies_bucket[5m])))", "{{app_id}} {{topic}}, one by one"]),
      lines("Resiliency", "ops", ["sum by (app_id, policy, target) (rate(dapr_resiliency_count[5m]))", "{{app_id}} {{policy}} {{target}}"]),
      lines("Dead letters", "short", ["topic:dead_letters:count", "{{topic}}"]),
      pie("Deliveries", "sum by (topic, process_status) (increase(dapr_component_pubsub_ingress_bulk_event_count[$__range]))", "{{topic}} {{process_status}}"),
      { ...lines("Restarts of apps", "short", ["sum by (app) (increase(platform_app_restarts_total[15m]))", "{{app}}"]), size: [8, 8] },
      { ...lines("Memory of apps", "bytes", ["platform_app_resident_bytes", "{{app}}"]), size: [8, 8] },
    ],
  },
  workflow: {
    uid: "platform-workflow", title: "Workflow", tags: ["workflow"],
    panels: [
      stat("Orders per second", "ops", 'sum(rate(order_events_total{status="PENDING"}[5m]))'),
      stat("Workflows ended", "ops", "sum(rate(dapr_runtime_workflow_execution_count[5m]))"),
      stat("Failed in this range", "short", 'sum(increase(dapr_runtime_workflow_execution_count{status="failed"}[$__range])) or vector(0)', thresholds(good, [1, "red"])),
      stat("p95", "s", "orders:order_workflow_duration_seconds:p95_5m"),
      stat("Oldest stuck order", "s", "max(order_oldest_stuck_seconds)", thresholds(good, [60, "orange"], [300, "red"])),
      stat("Rescued in this range", "short", "sum(increase(order_workflows_rescued_total[$__range]))"),
      lines("Workflows by outcome", "ops", ["sum by (workflow_name, status) (rate(dapr_runtime_workflow_execution_count[5m]))", "{{workflow_name}} {{status}}"]),
      lines("Duration of workflows", "ms", ...quantiles("dapr_runtime_workflow_execution_latency", "", "workflow_name")),
      lines("Activities", "ops", ["sum by (activity_name, status) (rate(dapr_runtime_workflow_activity_execution_count[5m]))", "{{activity_name}} {{status}}"]),
      lines("Activity p95", "ms", ["histogram_quantile(0.95, sum by (activity_name, le) (rate(dapr_runtime_workflow_activity_execution_latency_bucket[5m])))", "{{activity_name}}"]),
      lines("From due to first turn", "ms", ...quantiles("dapr_runtime_workflow_scheduling_latency")),
      lines("From accepted to decided", "s", average("order_workflow_duration_seconds"), ...quantiles("order_workflow_duration_seconds")),
      pie("Decisions", "sum by (status) (increase(order_workflow_duration_seconds_count[$__range]))", "{{status}}"),
      pie("Compensations", "sum by (failure_reason) (increase(order_compensations_total[$__range]))", "{{failure_reason}}"),
      pie("Activities by outcome", "sum by (activity_name, status) (increase(dapr_runtime_workflow_activity_execution_count[$__range]))", "{{activity_name}} {{status}}"),
    ],
  },
};

/** Panels from left to right, row by row. */
function place(panels) {
  let [x, y, height] = [0, 0, 0];
  return panels.map(({ size: [w, h], ...rest }, i) => {
    if (x + w > WIDTH) [x, y, height] = [0, y + height, 0];
    const placed = { id: i + 1, gridPos: { x, y, w, h }, ...rest };
    x += w;
    height = Math.max(height, h);
    return placed;
  });
}

const json = ({ uid, title, tags, panels }) => `${JSON.stringify({
  uid, title, tags: ["daprplatform", ...tags], editable: false, schemaVersion: 38, version: 1, timezone: "browser",
  refresh: "10s", time: { from: "now-1h", to: "now" }, timepicker: { refresh_intervals: ["5s", "10s", "30s", "1m"] },
  links: [{ type: "dashboards", tags: ["daprplatform"], title: "Dashboards", asDropdown: true, includeVars: true, keepTime: true }],
  templating: { list: [] },
  annotations: { list: [{ name: "Alerts", datasource: source, enable: true, iconColor: "red", expr: 'ALERTS{alertstate="firing"}', titleFormat: "{{alertname}}" }] },
  panels: place(panels),
}, null, 1)}\n`;

const check = process.argv.includes("--check");
const wrong = readdirSync(folder).filter((f) => f.endsWith(".json") && !(f.slice(0, -5) in dashboards));
for (const [name, dashboard] of Object.entries(dashboards)) {
  const file = join(folder, `${name}.json`);
  const text = json(dashboard);
  if (!check) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, "utf8") !== text) wrong.push(`${name}.json`);
}
if (wrong.length > 0) {
  console.error(`Not what generate.mjs writes: ${wrong.join(", ")}`);
  process.exitCode = 1;
}
