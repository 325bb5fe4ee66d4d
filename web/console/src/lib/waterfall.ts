import type { Span } from '../api/types';
import type { Interval } from './scale';

export interface Bar {
  span: Span;
  depth: number;
  children: number;
  /** Time in none of its children. */
  selfMs: number;
  /** Its parent was not received: the trace is incomplete here. */
  orphan: boolean;
}

/** Spans as a tree in order of time, those below a collapsed one left out. */
export function bars(spans: readonly Span[], collapsed: ReadonlySet<string> = new Set()): Bar[] {
  const byId = new Map(spans.map((s) => [s.spanId, s]));
  const children = new Map<string, Span[]>();
  const roots: Span[] = [];
  for (const span of spans) {
    const parent = span.parentId ? byId.get(span.parentId) : undefined;
    // A span that names itself as parent would never be drawn.
    if (!parent || parent === span) roots.push(span);
    else {
      const list = children.get(parent.spanId);
      if (list) list.push(span);
      else children.set(parent.spanId, [span]);
    }
  }
  const order = (a: Span, b: Span): number => a.offsetMs - b.offsetMs || b.ms - a.ms || (a.spanId < b.spanId ? -1 : 1);
  const drawn: Bar[] = [];
  const seen = new Set<string>();
  const stack: [Span, number][] = roots.sort(order).reverse().map((s) => [s, 0]);
  while (stack.length > 0) {
    const [span, depth] = stack.pop()!;
    if (seen.has(span.spanId)) continue;
    seen.add(span.spanId);
    const below = (children.get(span.spanId) ?? []).sort(order);
    drawn.push({ span, depth, children: below.length, selfMs: selfTime(span, below), orphan: depth === 0 && !!span.parentId });
    if (!collapsed.has(span.spanId)) for (const child of below.toReversed()) stack.push([child, depth + 1]);
  }
  return drawn;
}

function selfTime(span: Span, children: readonly Span[]): number {
  let covered = 0;
  let end = span.offsetMs;
  for (const child of children) {
    const from = Math.max(end, child.offsetMs);
    const to = Math.min(span.offsetMs + span.ms, child.offsetMs + child.ms);
    if (to > from) {
      covered += to - from;
      end = to;
    }
  }
  return Math.max(0, span.ms - covered);
}

/** Services in order of their first span: the order of colours and of the legend. */
export function servicesOf(spans: readonly Span[]): string[] {
  const first = new Map<string, number>();
  for (const span of spans) first.set(span.service, Math.min(first.get(span.service) ?? Infinity, span.offsetMs));
  return [...first].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
}

export const totalMs = (spans: readonly Span[]): number => spans.reduce((end, s) => Math.max(end, s.offsetMs + s.ms), 0);

/** What fills time, for an axis that folds the rest: spans without children, and the ends of the others. */
export function busyOf(spans: readonly Span[]): Interval[] {
  const parents = new Set(spans.map((s) => s.parentId));
  return spans.flatMap((s): Interval[] => {
    const end = s.offsetMs + s.ms;
    return parents.has(s.spanId) ? [[s.offsetMs, s.offsetMs], [end, end]] : [[s.offsetMs, end]];
  });
}

const hues = 9;

/** A colour for each service: an app and its sidecar have the same one, the sidecar a paler shade of it. */
export function coloursOf(services: readonly string[]): Map<string, string> {
  const apps = [...new Set(services.map((s) => s.replace(/\.daprd$/, '')))];
  return new Map(
    services.map((service) => {
      const hue = `var(--hue-${apps.indexOf(service.replace(/\.daprd$/, '')) % hues})`;
      return [service, service.endsWith('.daprd') ? `color-mix(in srgb, ${hue} 55%, var(--panel))` : hue];
    }),
  );
}

const hosting = 'Microsoft.AspNetCore.Hosting.HttpRequestIn';

/** What a span does, where its own name says less than what is known of it: the path that was asked for, the statement, the call that it answers. */
export function titleOf(span: Span, parent: Span | undefined): string {
  const { 'http.route': route, 'url.path': path, 'url.full': url, 'http.request.method': method, 'db.query.text': query } = span.attributes;
  if (typeof query === 'string') return query.replaceAll(/\s+/g, ' ').slice(0, 80);
  if (span.name !== hosting && !/^[A-Z]+$/.test(span.name)) return span.name;
  const asked = [route, path, typeof url === 'string' && URL.canParse(url) ? new URL(url).pathname : undefined].find((v) => typeof v === 'string');
  if (asked) return `${typeof method === 'string' ? method : span.name} ${asked as string}`;
  return span.name === hosting ? (parent ? titleOf(parent, undefined) : 'request') : span.name;
}
