import { useMemo, useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { useSize } from '../../api/hooks';
import type { LogLine, Span, Step, WorkflowInstance } from '../../api/types';
import { clock, duration } from '../../lib/format';
import { brief } from '../../lib/json';
import { foldedAxis, linearAxis, position, tickName, ticks, timeAt, type Axis } from '../../lib/scale';
import { attemptsOf, busyTimes, isMark, isRetryTimer, isWait, nameOf, turnAt, type Extent, type Row, type Turn } from '../../lib/timeline';
import { coloursOf, servicesOf } from '../../lib/waterfall';
import { Button, cx, kit, toneOf, type Tone } from '../../ui/kit';
import css from './instance.module.css';

export interface Moment {
  from: number;
  to: number;
}

interface Props {
  instance: WorkflowInstance;
  rows: Row[];
  /** Of the whole history, whatever turn is shown: the axis does not jump. */
  steps: readonly Step[];
  turns: readonly Turn[];
  extent: Extent;
  now: number;
  spans: readonly Span[];
  traceAt: number;
  logs: readonly LogLine[];
  turn: number | null;
  onTurn: (index: number | null) => void;
  isPlaying: boolean;
  onPlay: () => void;
  selected: Step | null;
  onSelect: (step: Step) => void;
  window: Moment | null;
  isFolded: boolean;
  onFold: () => void;
}

const start = (s: Step): number => Date.parse(s.startedAt);
const endOf = (s: Step, now: number): number => (s.ms === null || s.ms === undefined ? (s.state === 'open' ? now : start(s)) : start(s) + s.ms);

/** What the reader of a screen hears of a step, and the others see on pointing at it. */
export function describe(step: Step): string {
  const attempt = step.attempt && step.attempt > 1 ? `, attempt ${step.attempt}` : '';
  const took = step.ms !== null && step.ms !== undefined ? `, ${duration(step.ms)}` : '';
  return `${nameOf(step) || step.kind}${attempt}${step.compensation ? ', compensation' : ''}: ${step.state}${took}, at ${duration(step.offsetMs)}${step.output !== undefined && step.output !== null ? `, gave ${brief(step.output, 60)}` : ''}`;
}

function barTone(step: Step): Tone {
  if (step.state === 'open') return 'wait';
  if (step.state === 'failed') return 'bad';
  if (isWait(step) || step.state === 'unneeded') return 'idle';
  return step.compensation ? 'warn' : 'ok';
}

export function Picture(p: Props) {
  const { extent, now } = p;
  const [measure, { width }] = useSize<HTMLDivElement>();
  const lanes = useRef<HTMLDivElement>(null);
  const axis = useMemo<Axis>(() => {
    // Log lines and spans that belong to it lie a little before and after.
    const margin = Math.max(15, (extent.to - extent.from) * 0.01);
    return p.isFolded ? foldedAxis(extent.from - 15, extent.to + 15, width, busyTimes(p.steps, now)) : linearAxis(extent.from - margin, extent.to + margin, width);
  }, [extent, width, p.steps, now, p.isFolded]);
  const x = (t: number): number => position(axis, t);
  const current = p.turn === null ? null : p.turns[p.turn];
  const playhead = current ? x(current.at) : null;
  const services = useMemo(() => servicesOf(p.spans), [p.spans]);
  const colours = useMemo(() => coloursOf(services), [services]);
  const byService = useMemo(() => Map.groupBy(p.spans, (s) => s.service), [p.spans]);
  const sources = useMemo(() => Map.groupBy(p.logs, (l) => (l.source === 'sidecar' ? `${l.app}.daprd` : l.app)), [p.logs]);

  const order = useMemo(() => p.rows.flatMap((r) => r.steps).toSorted((a, b) => start(a) - start(b)), [p.rows]);
  const keys = (e: KeyboardEvent): void => {
    const move = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
    if (move === 0 || (e.target as HTMLElement).tagName === 'INPUT') return;
    const at = p.selected ? order.findIndex((s) => s.number === p.selected!.number && s.startedAt === p.selected!.startedAt && s.kind === p.selected!.kind) : -1;
    const next = order[Math.max(0, Math.min(order.length - 1, at + move))];
    if (next) {
      e.preventDefault();
      p.onSelect(next);
    }
  };
  // Dragging along the axis steps through the history.
  const drag = (e: PointerEvent<HTMLDivElement>): void => {
    if (e.type === 'pointerdown') e.currentTarget.setPointerCapture(e.pointerId);
    else if (!e.currentTarget.hasPointerCapture(e.pointerId)) return;
    const box = e.currentTarget.getBoundingClientRect();
    p.onTurn(Math.max(0, turnAt(p.turns, timeAt(axis, e.clientX - box.left))));
  };

  const lastTurn = p.turns.length - 1;
  const shown = p.turn ?? lastTurn;
  return (
    <section className={css['picture']} aria-label="The order in one picture: workflow, trace and logs on one axis of time">
      <div className={css['controls']}>
        <h2>Time line</h2>
        <div className={kit['tools']} role="group" aria-label="Step through the history">
          <Button aria-label="First turn" onClick={() => p.onTurn(0)} disabled={lastTurn < 0}><Icon d="M2 1.5v9M11 1.5 4.5 6l6.5 4.5Z" /></Button>
          <Button aria-label="Previous turn" onClick={() => p.onTurn(Math.max(0, shown - 1))} disabled={shown <= 0}><Icon d="M10 1.5 3 6l7 4.5Z" /></Button>
          <Button aria-label={p.isPlaying ? 'Pause' : 'Play the turns'} onClick={p.onPlay} disabled={lastTurn < 1}>{p.isPlaying ? 'Pause' : 'Play'}</Button>
          <Button aria-label="Next turn" onClick={() => p.onTurn(Math.min(lastTurn, shown + 1))} disabled={p.turn === null || shown >= lastTurn}><Icon d="M2.5 1.5 9.5 6l-7 4.5Z" /></Button>
        </div>
        <input type="range" min={0} max={Math.max(0, lastTurn)} value={Math.max(0, shown)} onChange={(e) => p.onTurn(Number(e.target.value))} aria-label="Turn" aria-valuetext={p.turn === null ? 'now, all turns' : `turn ${shown + 1} of ${p.turns.length}`} disabled={lastTurn < 1} />
        <span className={css['turnName']} aria-live="polite">{p.turn === null ? `all ${p.turns.length} turns` : `turn ${shown + 1} of ${p.turns.length}`}</span>
        <Button pressed={p.turn === null} onClick={() => p.onTurn(null)}>Now</Button>
        <Button pressed={p.isFolded} onClick={p.onFold} title="Idle time takes little room, so that milliseconds show beside hours">Fold idle time</Button>
      </div>
      <div className={css['lanes']} ref={lanes} onKeyDown={keys}>
        <div className={css['overlay']} ref={measure} aria-hidden="true">
          {width > 0 && ticks(axis, 90, extent.from).map((t) => <span key={t} className={css['gridLine']} style={{ left: x(t) }} />)}
          {width > 0 && spaced(axis, extent.from).map(([t, at]) => <span key={t} className={css['tick']} style={{ left: at }}>{t - extent.from === 0 ? clock(t) : `+${tickName(t - extent.from, axis)}`}</span>)}
          {axis.stretches.filter((s) => s.folded).map((s) => (
            <span key={s.from} className={kit['fold']} style={{ left: s.x, width: s.width }}>
              <span className={css['foldName']}>{duration(s.to - s.from).replace(/ \S+ \S+$/, '')}</span>
            </span>
          ))}
          {p.window && <span className={css['window']} style={{ left: x(p.window.from) - 1, width: Math.max(2, x(p.window.to) - x(p.window.from)) + 2 }} />}
        </div>
        <div className={css['row']}>
          <span />
          <div className={css['lane']} style={{ cursor: 'ew-resize', height: 24, touchAction: 'none' }} onPointerDown={drag} onPointerMove={drag}>
            {p.turns.map((t, i) => (
              <span key={t.first} className={css['turnTick']} style={{ left: x(t.at), background: i === p.turn ? 'var(--warn)' : undefined }} />
            ))}
          </div>
        </div>
        <div className={css['group']}>Workflow {p.instance.name}</div>
        {p.rows.map((row) => (
          <Lane key={row.key} row={row} x={x} now={now} selected={p.selected} onSelect={p.onSelect} />
        ))}
        {services.length > 0 && <div className={css['group']}>Trace, by service</div>}
        {services.map((service) => {
          const spans = byService.get(service) ?? [];
          return (
            <div className={css['row']} key={service}>
              <span className={cx(css['label'], css['plain'])}>
                <i className={css['swatch']} style={{ background: colours.get(service) }} />
                <span>{service}</span>
                <small>{spans.length}</small>
              </span>
              <div className={css['lane']}>
                <svg className={css['svg']} role="img" aria-label={`${spans.length} spans of ${service}`}>
                  {spans.map((s) => {
                    const from = x(p.traceAt + s.offsetMs);
                    return (
                      <rect key={s.spanId} x={from} y={5} width={Math.max(2, x(p.traceAt + s.offsetMs + s.ms) - from)} height={11} rx={1} fill={s.status === 'error' ? 'var(--bad)' : colours.get(service)} opacity={0.75}>
                        <title>{`${s.name}, ${duration(s.ms)}${s.status === 'error' ? `, error: ${s.message ?? ''}` : ''}`}</title>
                      </rect>
                    );
                  })}
                </svg>
              </div>
            </div>
          );
        })}
        {sources.size > 0 && <div className={css['group']}>Logs, by app</div>}
        {[...sources].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([source, lines]) => (
          <div className={css['row']} key={source}>
            <span className={cx(css['label'], css['plain'])}>
              <span>{source}</span>
              <small>{lines.length}</small>
            </span>
            <div className={css['lane']}>
              <svg className={css['svg']} role="img" aria-label={`${lines.length} lines of ${source}, ${lines.filter((l) => l.level === 'error').length} errors`}>
                {(['debug', 'info', 'warn', 'error'] as const).map((level) => (
                  <path
                    key={level}
                    d={lines.filter((l) => l.level === level).map((l) => `M${x(Date.parse(l.at)).toFixed(1)} ${level === 'error' ? 2 : 6}V${level === 'error' ? 19 : 15}`).join('')}
                    stroke={`var(--${{ debug: 'line-strong', info: 'muted', warn: 'warn', error: 'bad' }[level]})`}
                    strokeWidth={level === 'error' || level === 'warn' ? 2.5 : 1.5}
                  />
                ))}
              </svg>
            </div>
          </div>
        ))}
        <div className={css['overlay']} aria-hidden="true">
          {playhead !== null && <span className={css['future']} style={{ left: playhead }} />}
          {playhead !== null && <span className={css['playhead']} style={{ left: playhead }} />}
        </div>
      </div>
    </section>
  );
}

const Icon = ({ d }: { d: string }) => (
  <svg width="12" height="12" viewBox="0 0 12 12" fill="currentColor" stroke="currentColor" strokeWidth="1" aria-hidden="true">
    <path d={d} />
  </svg>
);

/** Ticks with their places, those left out that would write over the one before. */
function spaced(axis: Axis, from: number): [number, number][] {
  const found: [number, number][] = [];
  let last = -Infinity;
  for (const t of [from, ...ticks(axis, 90, from).filter((v) => v > from)]) {
    const at = position(axis, t);
    if (at - last < 84 || at > axis.width - 56) continue;
    found.push([t, at]);
    last = at;
  }
  return found.filter(([, at]) => !axis.stretches.some((s) => s.folded && at > s.x - 56 && at < s.x + s.width + 14));
}

function Lane({ row, x, now, selected, onSelect }: { row: Row; x: (t: number) => number; now: number; selected: Step | null; onSelect: (step: Step) => void }) {
  const isSelected = (s: Step): boolean => selected !== null && s.number === selected.number && s.startedAt === selected.startedAt && s.kind === selected.kind;
  const attempts = attemptsOf(row);
  const main = row.steps.findLast((s) => !isRetryTimer(s)) ?? row.steps.at(-1);
  const first = row.steps[0];
  const total = first && row.kind !== 'instance' ? endOf(row.steps.at(-1)!, now) - start(first) : null;
  return (
    <div className={cx(css['row'], row.steps.some(isSelected) && css['rowSelected'])}>
      <button type="button" className={css['label']} onClick={() => main && onSelect(main)} aria-pressed={row.steps.some(isSelected)}>
        {row.compensation && <span className={css['undo']} aria-hidden="true">↶</span>}
        <span>{row.kind === 'instance' ? 'instance' : row.label}</span>
        <small>{row.kind === 'instance' ? '' : [row.kind === 'activity' ? '' : row.kind === 'wait' ? 'event' : row.kind, attempts > 1 ? `${attempts} tries` : '', total !== null && attempts < 2 && row.state !== 'open' && !row.steps.every(isWait) ? duration(total) : ''].filter(Boolean).join(', ')}</small>
        {row.state === 'open' && <i className={css['swatch']} style={{ background: 'var(--wait)' }} aria-hidden="true" />}
        {main && <span className={kit['hidden']}>{row.kind === 'instance' ? '' : `, ${describe(main)}`}</span>}
      </button>
      <div className={css['lane']}>
        {row.steps.map((s, i) => {
          const from = x(start(s));
          const tone = isMark(s) ? (s.kind === 'start' ? 'idle' : s.state === 'happened' ? 'warn' : toneOf(s.state)) : barTone(s);
          const key = `${s.number} ${s.kind} ${s.startedAt} ${i}`;
          if (isMark(s))
            return (
              <button type="button" key={key} tabIndex={-1} className={cx(css['mark'], css[tone], isSelected(s) && css['chosen'])} style={{ left: from }} onClick={() => onSelect(s)} aria-label={`${s.kind} ${describe(s)}`} title={`${s.kind} ${describe(s)}`}>
                <i />
              </button>
            );
          const width = Math.max(4, x(endOf(s, now)) - from);
          return (
            <button
              type="button"
              key={key}
              tabIndex={-1}
              className={cx(css['bar'], css[tone], width < 18 && css['narrow'], isWait(s) && css['waiting'], s.state === 'open' && !isWait(s) && css['open'], isSelected(s) && css['chosen'])}
              style={{ left: from, width }}
              onClick={() => onSelect(s)}
              aria-label={describe(s)}
              title={describe(s)}
            >
              {width > 60 && !isWait(s) && s.ms !== null && s.ms !== undefined ? duration(s.ms) : ''}
            </button>
          );
        })}
      </div>
    </div>
  );
}
