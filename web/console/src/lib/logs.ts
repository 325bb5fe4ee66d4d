import type { LogLine } from '../api/types';

/** A window on the logs: the newest last. It grows at both ends and is cut at the other, so that memory stays bounded however long one reads. */
export interface LogWindow {
  lines: readonly LogLine[];
  /** Where older ones begin; null when these are the oldest. */
  older: string | null;
  /** True while newer lines were cut off (or not fetched): what arrives live does not join. */
  detached: boolean;
}

export const empty: LogWindow = { lines: [], older: null, detached: false };
export const limit = 20_000;

function without(known: readonly LogLine[], lines: readonly LogLine[]): LogLine[] {
  // What may be double is near the seam.
  const ids = new Set(known.slice(-5000).map((l) => l.id));
  return lines.filter((l) => !ids.has(l.id));
}

/** Live lines: at the end. Those that were fetched already are left out. */
export function append(window: LogWindow, lines: readonly LogLine[], max = limit): LogWindow {
  if (window.detached || lines.length === 0) return window;
  const fresh = without(window.lines, lines);
  if (fresh.length === 0) return window;
  const all = [...window.lines, ...fresh];
  if (all.length <= max) return { ...window, lines: all };
  const kept = all.slice(all.length - max);
  return { ...window, lines: kept, older: kept[0]!.id };
}

/** An older page: at the beginning. Beyond the limit the newest are cut, and the window no longer follows. */
export function prepend(window: LogWindow, page: readonly LogLine[], older: string | null, max = limit): LogWindow {
  const ids = new Set(window.lines.slice(0, 5000).map((l) => l.id));
  const all = [...page.filter((l) => !ids.has(l.id)), ...window.lines];
  if (all.length <= max) return { ...window, lines: all, older };
  return { lines: all.slice(0, max), older, detached: true };
}

export const levels = ['debug', 'info', 'warn', 'error'] as const;

/** The filter of the API, for lines that arrive before the stream has changed its filter. */
export function matches(line: LogLine, filter: { app: readonly string[]; level: string; text: string; trace: string }): boolean {
  return (
    (filter.app.length === 0 || filter.app.includes(line.app)) &&
    (!filter.level || levels.indexOf(line.level) >= levels.indexOf(filter.level as (typeof levels)[number])) &&
    (!filter.trace || line.traceId === filter.trace) &&
    (!filter.text || line.text.toLowerCase().includes(filter.text.toLowerCase()))
  );
}
