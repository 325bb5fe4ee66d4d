import { duration, number } from './format';

export type Interval = readonly [number, number];

/** A stretch of the axis: so much time on so many pixels. A folded one is idle time that takes little room. */
export interface Stretch {
  from: number;
  to: number;
  x: number;
  width: number;
  folded: boolean;
}

export interface Axis {
  stretches: Stretch[];
  from: number;
  to: number;
  width: number;
}

const foldWidth = 34;

/** Intervals in order, those that touch or overlap as one. */
export function merge(intervals: readonly Interval[]): [number, number][] {
  const sorted = intervals.map(([a, b]): [number, number] => [a, Math.max(a, b)]).sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const next of sorted) {
    const last = merged.at(-1);
    if (last && next[0] <= last[1]) last[1] = Math.max(last[1], next[1]);
    else merged.push(next);
  }
  return merged;
}

export function linearAxis(from: number, to: number, width: number): Axis {
  return { from, to, width, stretches: [{ from, to: Math.max(to, from + 1), x: 0, width, folded: false }] };
}

/**
 * An axis on which idle time is folded: an order that waits an hour for a human still shows its milliseconds before and after.
 * A gap is folded when it is longer than everything that happened, halved, and at least a second.
 */
export function foldedAxis(from: number, to: number, width: number, busy: readonly Interval[]): Axis {
  const end = Math.max(to, from + 1);
  const blocks = merge(busy.map(([a, b]): Interval => [Math.max(from, a), Math.min(end, b)]).filter(([a, b]) => b >= a));
  if (blocks.length === 0 || width <= 0) return linearAxis(from, end, width);
  const busyTime = blocks.reduce((sum, [a, b]) => sum + (b - a), 0);
  const limit = Math.max(1000, busyTime / 2);
  // A little idle time around what happened keeps its edges visible.
  const margin = Math.max(busyTime * 0.03, 5);
  const gaps: [number, number][] = [];
  let at = from;
  for (const [a, b] of blocks) {
    if (a - at - 2 * margin > limit) gaps.push([at === from ? at : at + margin, a - margin]);
    at = Math.max(at, b);
  }
  if (end - at - margin > limit) gaps.push([at + margin, end]);
  const idle = gaps.reduce((sum, [a, b]) => sum + (b - a), 0);
  const room = width - gaps.length * foldWidth;
  if (gaps.length === 0 || room < width / 3) return linearAxis(from, end, width);
  const perMs = room / Math.max(1, end - from - idle);
  const stretches: Stretch[] = [];
  let x = 0;
  const add = (a: number, b: number, folded: boolean): void => {
    if (b <= a) return;
    const w = folded ? foldWidth : (b - a) * perMs;
    stretches.push({ from: a, to: b, x, width: w, folded });
    x += w;
  };
  at = from;
  for (const [a, b] of gaps) {
    add(at, a, false);
    add(a, b, true);
    at = b;
  }
  add(at, end, false);
  return { from, to: end, width, stretches };
}

/** Pixels of a time; outside of the axis its ends. */
export function position(axis: Axis, time: number): number {
  if (time <= axis.from) return 0;
  for (const s of axis.stretches) if (time <= s.to) return s.x + ((time - s.from) / (s.to - s.from)) * s.width;
  return axis.width;
}

/** The time at a pixel. */
export function timeAt(axis: Axis, x: number): number {
  for (const s of axis.stretches) if (x <= s.x + s.width) return s.from + (Math.max(0, x - s.x) / s.width) * (s.to - s.from);
  return axis.to;
}

/** A time on an axis, with so many decimals as tell one tick from the next. */
export function tickName(ms: number, axis: Axis, of?: string): string {
  const visible = axis.stretches.filter((s) => !s.folded);
  const finest = Math.min(...visible.map((s) => (s.to - s.from) / Math.max(1, s.width))) * 90;
  if (ms < 1000 || finest >= 1000) return duration(ms, of);
  return `${number(ms / 1000, finest >= 100 ? 1 : finest >= 10 ? 2 : 3, of)} s`;
}

const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000, 604_800_000];

/** Times at round distances from the origin, about so many pixels apart; none in folded stretches. */
export function ticks(axis: Axis, apart = 90, origin = axis.from): number[] {
  const found: number[] = [];
  for (const s of axis.stretches) {
    if (s.folded) continue;
    const perPixel = (s.to - s.from) / s.width;
    const step = steps.find((v) => v / perPixel >= apart) ?? steps.at(-1)!;
    for (let t = Math.ceil((s.from - origin) / step) * step + origin; t <= s.to; t += step) found.push(t);
  }
  return found;
}

/** Bounds and step of a vertical axis that holds 0 and the largest value, in steps of 1, 2 or 5. */
export function niceScale(largest: number, lines = 4): { top: number; step: number } {
  if (!(largest > 0)) return { top: 1, step: 1 };
  const rough = largest / lines;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((f) => f * power).find((v) => v >= rough * 0.999) ?? power * 10;
  return { top: Math.ceil(largest / step - 1e-9) * step, step };
}
