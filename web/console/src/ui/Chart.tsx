import { useId, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { useSize } from '../api/hooks';
import type { Chart as Data } from '../api/types';
import { largest, nearest, path } from '../lib/charts';
import { bytes, compact, duration, minutes, number, seconds } from '../lib/format';
import { niceScale } from '../lib/scale';
import css from './Chart.module.css';

export function valueOf(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return '–';
  if (/^(bytes?|B)$/i.test(unit)) return bytes(value);
  if (/^(ms|milliseconds?)$/i.test(unit)) return duration(value);
  if (/^(s|seconds?)$/i.test(unit)) return duration(value * 1000);
  if (unit === '%' || unit === 'percent of one') return `${number(value)} %`;
  return Math.abs(value) >= 10_000 ? compact(value) : number(value, Math.abs(value) < 10 ? 2 : 1);
}

const left = 52;
const bottom = 18;

/** Lines of the last hour. The pointer, or the arrow keys, read the values of one moment. */
export function Chart({ chart }: { chart: Data }) {
  const [measure, { width, height }] = useSize<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const heading = useId();
  const all = chart.series.flatMap((s) => [s.points[0]?.[0], s.points.at(-1)?.[0]]).filter((t): t is number => t !== undefined);
  const to = Math.max(...all);
  const from = Math.min(...all, to - 60_000);
  const isEmpty = all.length === 0;
  const most = largest(chart);
  // Bytes come in powers of 1,024.
  const unit = /^(bytes?|B)$/i.test(chart.unit) && most >= 1024 ? 1024 ** Math.floor(Math.log(most) / Math.log(1024)) : 1;
  const nice = niceScale(most / unit);
  const [top, step] = [nice.top * unit, nice.step * unit];
  const w = Math.max(1, width - left - 4);
  const h = Math.max(1, height - bottom - 6);
  const x = (t: number): number => left + ((t - from) / Math.max(1, to - from)) * w;
  const y = (v: number): number => 6 + h - (v / top) * h;
  const read = at ?? to;
  const point = (e: PointerEvent<HTMLDivElement>): void => {
    const box = e.currentTarget.getBoundingClientRect();
    setAt(Math.max(from, Math.min(to, from + ((e.clientX - box.left - left) / w) * (to - from))));
  };
  const keys = (e: KeyboardEvent): void => {
    const moves: Record<string, number> = { ArrowLeft: read - 30_000, ArrowRight: read + 30_000, Home: from, End: to };
    const next = moves[e.key];
    if (next === undefined) return;
    e.preventDefault();
    setAt(Math.max(from, Math.min(to, next)));
  };
  const minutesApart = to - from > 1_800_000 ? 15 : to - from > 600_000 ? 5 : 1;
  const marks: number[] = [];
  for (let t = Math.ceil(from / (minutesApart * 60_000)) * minutesApart * 60_000; t <= to; t += minutesApart * 60_000) marks.push(t);
  return (
    <section className={css['figure']} aria-labelledby={heading}>
      <div className={css['head']}>
        <h2 id={heading}>{chart.title}</h2>
        <span>{at === null ? (/^(ms|bytes?|B|%|s|milliseconds?|seconds?)$/i.test(chart.unit) ? '' : chart.unit) : seconds(read)}</span>
      </div>
      <div
        className={css['plot']}
        ref={measure}
        tabIndex={isEmpty ? undefined : 0}
        role={isEmpty ? undefined : 'slider'}
        aria-label={isEmpty ? undefined : `${chart.title}: moment that is read`}
        aria-valuemin={isEmpty ? undefined : Math.round(from / 1000)}
        aria-valuemax={isEmpty ? undefined : Math.round(to / 1000)}
        aria-valuenow={isEmpty ? undefined : Math.round(read / 1000)}
        aria-valuetext={isEmpty ? undefined : `${seconds(read)}: ${chart.series.map((s) => `${s.label} ${valueOf(nearest(s.points, read)?.[1], chart.unit)}`).join(', ')}`}
        onPointerMove={point}
        onPointerLeave={() => setAt(null)}
        onKeyDown={keys}
        onBlur={() => setAt(null)}
      >
        {width > 0 && (
          <svg aria-hidden="true">
            {Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step).map((v) => (
              <g key={v}>
                <line x1={left} x2={left + w} y1={y(v)} y2={y(v)} stroke="var(--line)" />
                <text x={left - 6} y={y(v) + 3.5} textAnchor="end">{v === 0 ? '0' : valueOf(v, chart.unit)}</text>
              </g>
            ))}
            {!isEmpty && marks.map((t) => <text key={t} x={x(t)} y={height - 3} textAnchor="middle">{minutes(t)}</text>)}
            {isEmpty && <text x={left + w / 2} y={h / 2} textAnchor="middle">no samples yet</text>}
            {chart.series.map((s, i) => {
              const line = path(s.points, x, y);
              const color = `var(--hue-${i % 9})`;
              return (
                <g key={s.label}>
                  {chart.kind === 'area' && i === 0 && s.points.length > 1 && s.points.every(([, v]) => v !== null) && <path d={`${line.replaceAll('M', 'L').replace('L', 'M')}L${x(s.points.at(-1)![0])} ${y(0)}L${x(s.points[0]![0])} ${y(0)}Z`} fill={color} opacity={0.14} />}
                  <path d={line} fill="none" stroke={color} strokeWidth={1.4} strokeLinejoin="round" />
                </g>
              );
            })}
            {at !== null && <line x1={x(read)} x2={x(read)} y1={6} y2={6 + h} stroke="var(--warn)" />}
          </svg>
        )}
      </div>
      <ul className={css['legend']}>
        {chart.series.map((s, i) => (
          <li key={s.label}>
            <i style={{ background: `var(--hue-${i % 9})` }} aria-hidden="true" />
            {s.label} <span>{valueOf(nearest(s.points, read)?.[1], chart.unit)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
