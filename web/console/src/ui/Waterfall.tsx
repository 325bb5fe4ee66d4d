import { useMemo, useState, type KeyboardEvent } from 'react';
import type { Span, Trace } from '../api/types';
import { clock, count, duration } from '../lib/format';
import { foldedAxis, position, tickName, ticks } from '../lib/scale';
import { bars, busyOf, coloursOf, servicesOf, titleOf, totalMs } from '../lib/waterfall';
import { Badge, cx, Facts, Json, kit, Link } from './kit';
import css from './Waterfall.module.css';

/** The spans of a trace as a tree, each where it was in time. */
export function Waterfall({ trace }: { trace: Trace }) {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<string | null>(null);
  const rows = useMemo(() => bars(trace.spans, collapsed), [trace, collapsed]);
  const services = useMemo(() => servicesOf(trace.spans), [trace]);
  const total = Math.max(0.1, totalMs(trace.spans));
  // A workflow that waits makes a trace of hours: as on the time line, idle time takes little room.
  const axis = useMemo(() => foldedAxis(0, total, 1000, busyOf(trace.spans)), [trace, total]);
  const marks = ticks(axis, 160).filter((t) => position(axis, t) < 950 && !axis.stretches.some((s) => s.folded && position(axis, t) > s.x - 90 && position(axis, t) < s.x + s.width + 5));
  const byId = useMemo(() => new Map(trace.spans.map((s) => [s.spanId, s])), [trace]);
  const hue = useMemo(() => coloursOf(services), [services]);
  const toggle = (id: string): void => setCollapsed((c) => (c.has(id) ? new Set([...c].filter((x) => x !== id)) : new Set([...c, id])));
  const keys = (e: KeyboardEvent, span: Span): void => {
    if ((e.key === 'ArrowLeft') !== collapsed.has(span.spanId) && (e.key === 'ArrowLeft' || e.key === 'ArrowRight')) {
      toggle(span.spanId);
      e.preventDefault();
    }
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      const all = [...e.currentTarget.closest('[data-waterfall]')!.querySelectorAll<HTMLElement>('[data-span]')];
      all[all.indexOf(e.currentTarget as HTMLElement) + (e.key === 'ArrowDown' ? 1 : -1)]?.focus();
      e.preventDefault();
    }
  };
  return (
    <div data-waterfall="">
      <ul className={css['legend']} aria-label="Services">
        {services.map((s) => (
          <li key={s}>
            <i className={css['swatch']} style={{ background: hue.get(s) }} aria-hidden="true" />
            {s} <span className={kit['note']}>{count(trace.spans.filter((x) => x.service === s).length)}</span>
          </li>
        ))}
      </ul>
      <div className={css['axis']} aria-hidden="true">
        {marks.map((t) => (
          <span key={t} style={{ left: `${position(axis, t) / 10}%` }}>{tickName(t, axis)}</span>
        ))}
        {axis.stretches.filter((s) => s.folded).map((s) => (
          <i key={s.from} className={kit['fold']} style={{ left: `${s.x / 10}%`, width: `${s.width / 10}%` }}>
            <span className={css['foldName']}>{duration(s.to - s.from)}</span>
          </i>
        ))}
      </div>
      {rows.map(({ span, depth, children, selfMs, orphan }) => {
        const left = position(axis, span.offsetMs) / 10;
        const width = position(axis, span.offsetMs + span.ms) / 10 - left;
        const failed = span.status === 'error';
        const isChosen = chosen === span.spanId;
        const title = titleOf(span, span.parentId ? byId.get(span.parentId) : undefined);
        return (
          <div key={span.spanId}>
            <div className={cx(css['row'], isChosen && css['chosen'])}>
              <div className={css['name']} style={{ paddingLeft: 6 + Math.min(depth, 14) * 12 }}>
                {children > 0 ? (
                  <button type="button" tabIndex={-1} className={css['twist']} onClick={() => toggle(span.spanId)} aria-label={`${collapsed.has(span.spanId) ? 'Show' : 'Hide'} the ${children} below ${title}`} aria-expanded={!collapsed.has(span.spanId)}>
                    {collapsed.has(span.spanId) ? '▸' : '▾'}
                  </button>
                ) : (
                  <span className={css['twist']} />
                )}
                <i className={css['swatch']} style={{ background: hue.get(span.service) }} aria-hidden="true" />
                <button type="button" data-span="" onClick={() => setChosen(isChosen ? null : span.spanId)} onKeyDown={(e) => keys(e, span)} aria-expanded={isChosen} title={`${span.service}: ${title}`} className={failed ? css['failed'] : undefined}>
                  {title} <small>{span.service}</small>
                  <span className={kit['hidden']}>{`, ${duration(span.ms)}${failed ? ', error' : ''}`}</span>
                </button>
              </div>
              <div className={css['lane']} onClick={() => setChosen(isChosen ? null : span.spanId)}>
                <i className={css['bar']} style={{ left: `${left}%`, width: `${width}%`, background: failed ? 'var(--bad)' : hue.get(span.service) }} />
                <span className={css['time']} style={left + width > 88 ? { right: `calc(${100 - left}% + 5px)` } : { left: `calc(${left + width}% + 5px)` }}>{duration(span.ms)}</span>
              </div>
            </div>
            {isChosen && (
              <div className={css['detail']}>
                <Facts
                  of={[
                    ['service', span.service],
                    title !== span.name && ['name', span.name],
                    ['kind', span.kind],
                    ['began', `${clock(span.at)}, ${duration(span.offsetMs)} after the start`],
                    ['took', `${duration(span.ms)}, ${duration(selfMs)} of it itself`],
                    ['status', <Badge key="s" tone={failed ? 'bad' : span.status === 'ok' ? 'ok' : 'idle'}>{span.status}{span.message ? `: ${span.message}` : ''}</Badge>],
                    orphan && ['parent', 'was not received'],
                    ['span', <span key="i" className={kit['mono']}>{span.spanId}</span>],
                    ['logs', <Link key="l" to={`/logs?trace=${trace.traceId}`}>of the trace</Link>],
                  ]}
                />
                {Object.keys(span.attributes).length > 0 && <Json value={span.attributes} label="Attributes" />}
              </div>
            )}
          </div>
        );
      })}
    </div>
  );
}
