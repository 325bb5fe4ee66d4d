import type { Chart, MetricsSample } from '../api/types';

const hour = 3_600_000;

/** Adds the newest sample to the charts and drops what is older than an hour before it. */
export function extend(charts: readonly Chart[], sample: MetricsSample, span = hour): Chart[] {
  const at = typeof sample.at === 'number' ? sample.at : Date.parse(sample.at);
  return charts.map((chart) => {
    const news = sample.charts[chart.id];
    if (!news) return chart;
    const values = new Map(Object.entries(news));
    const series = chart.series.map((s) => {
      const value = values.get(s.label);
      values.delete(s.label);
      const last = s.points.at(-1);
      if (value === undefined || (last && last[0] >= at)) return s;
      const first = s.points.findIndex(([t]) => t >= at - span);
      return { ...s, points: [...(first > 0 ? s.points.slice(first) : s.points), [at, value] as [number, number | null]] };
    });
    for (const [label, value] of values) series.push({ label, points: [[at, value]] });
    return { ...chart, series };
  });
}

export const largest = (chart: Chart): number => chart.series.reduce((m, s) => s.points.reduce((n, [, v]) => Math.max(n, v ?? 0), m), 0);

/** The point nearest to a time, by halving. */
export function nearest(points: readonly [number, number | null][], at: number): [number, number | null] | null {
  if (points.length === 0) return null;
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]![0] < at) low = middle + 1;
    else high = middle;
  }
  const before = points[low - 1];
  const found = points[low]!;
  return before && at - before[0] < found[0] - at ? before : found;
}

/** An SVG path; a null or a long silence is a gap. */
export function path(points: readonly [number, number | null][], x: (t: number) => number, y: (v: number) => number, silence = 30_000): string {
  let text = '';
  let last: number | null = null;
  for (const [t, v] of points) {
    if (v === null) {
      last = null;
      continue;
    }
    text += `${last === null || t - last > silence ? 'M' : 'L'}${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
    last = t;
  }
  return text;
}
