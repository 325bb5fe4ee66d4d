/** Counters in Prometheus' text format, with a bounded set of label values given by the code. */
export class Counter {
  private readonly values = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly help: string,
    readonly labels: readonly string[],
  ) {}

  add(labels: Record<string, string>): void {
    if (Object.keys(labels).join() !== this.labels.join()) {
      throw new Error(`${this.name} has the labels ${this.labels.join()}, not ${Object.keys(labels).join()}.`);
    }
    const key = Object.entries(labels)
      .map(([label, value]) => `${label}="${value.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`)
      .join(",");
    this.values.set(key, (this.values.get(key) ?? 0) + 1);
  }

  toString(): string {
    const lines = [...this.values].map(([labels, value]) => `${this.name}{${labels}} ${value}`);
    return [`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} counter`, ...lines, ""].join("\n");
  }
}

export const events = new Counter("events_received_total", "Events delivered, by what became of them.", ["service", "topic", "status"]);
export const mails = new Counter("mails_total", "Mails by template and what became of them: sent, failed, or skipped where there is nobody to write to.", ["service", "type", "status"]);
export const messages = new Counter("messages_sent_total", "Messages written for customers, by type.", ["service", "type"]);
export const requests = new Counter("http_requests_total", "Requests answered, by route template and status.", ["service", "method", "endpoint", "status_code"]);

export const counters: readonly Counter[] = [events, requests, mails, messages];

const started = Date.now() / 1000;

export function scrape(): string {
  const memory = process.memoryUsage();
  return [
    ...counters,
    "# HELP process_resident_memory_bytes Resident memory.",
    "# TYPE process_resident_memory_bytes gauge",
    `process_resident_memory_bytes ${memory.rss}`,
    "# HELP process_start_time_seconds Start of the process, as Unix time.",
    "# TYPE process_start_time_seconds gauge",
    `process_start_time_seconds ${started}`,
    "",
  ].join("\n");
}
