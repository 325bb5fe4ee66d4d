type Level = "Information" | "Warning" | "Error";

/** One JSON line, in the form of the other services. */
export function log(level: Level, message: string, state: Record<string, unknown> = {}): void {
  process.stdout.write(`${JSON.stringify({ Timestamp: new Date().toISOString(), LogLevel: level, Category: "notifications", Message: message, State: state })}\n`);
}
