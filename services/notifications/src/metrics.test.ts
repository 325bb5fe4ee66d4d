import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { counters, scrape } from "./metrics";

const path = join(__dirname, "..", "METRICS.md");

function document(): string {
  const own = [...counters].sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    "# Metrics of notifications",
    "",
    "`GET /metrics` on the app port, in Prometheus' text format. Written by `metrics.test.ts` (`UPDATE_DOCS=1`) from what the service measures. Label `service` is",
    "`notifications`; `endpoint` is the template of a route, never a path; every label has a bounded set of values.",
    "",
    "| Metric | Kind | Meaning |",
    "|---|---|---|",
    ...own.map((c) => `| \`${c.name}{${c.labels.join(",")}}\` | counter | ${c.help} |`),
    "",
    "Besides these `process_resident_memory_bytes` and `process_start_time_seconds`.",
    "",
    "## Queries",
    "",
    "```promql",
    ...own.map((c) => `sum by (${c.labels.filter((l) => l !== "service").join(", ")}) (rate(${c.name}[5m]))`),
    "# share of requests that failed",
    'sum(rate(http_requests_total{status_code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))',
    "```",
    "",
  ].join("\n");
}

test("METRICS.md names what the service measures, with its labels", () => {
  if (process.env["UPDATE_DOCS"] === "1") {
    writeFileSync(path, document());
  }
  assert.equal(readFileSync(path, "utf8"), document());
});

test("every counter is in the scrape with its help, and refuses other labels", () => {
  const text = scrape();
  for (const counter of counters) {
    assert.ok(counter.help.length > 10);
    assert.ok(text.includes(`# HELP ${counter.name} ${counter.help}\n# TYPE ${counter.name} counter\n`), counter.name);
    assert.throws(() => counter.add({ service: "notifications", path: "/messages/USR-1" }));
  }
});
