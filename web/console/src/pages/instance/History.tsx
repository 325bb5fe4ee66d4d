import { useEffect, useRef, type KeyboardEvent } from 'react';
import type { HistoryEvent, LogLine, Step } from '../../api/types';
import { clock, words } from '../../lib/format';
import { brief } from '../../lib/json';
import type { Turn } from '../../lib/timeline';
import { cx, Empty, kit } from '../../ui/kit';
import type { Moment } from './Picture';
import { failureText } from './StepDetail';
import css from './instance.module.css';

interface HistoryProps {
  turns: readonly Turn[];
  names: ReadonlyMap<number, string>;
  turn: number | null;
  onTurn: (index: number) => void;
  /** The step that an event belongs to; none for what the runtime notes for itself. */
  stepOf: (event: HistoryEvent) => Step | undefined;
  isSelected: (step: Step) => boolean;
  onEvent: (event: HistoryEvent) => void;
}

/** Every event, by the turn of the workflow's code that it belongs to. */
export function History({ turns, names, turn, onTurn, stepOf, isSelected, onEvent }: HistoryProps) {
  const choosable = turns.flatMap((t) => t.events).filter((e) => stepOf(e));
  const isChosen = (e: HistoryEvent): boolean => {
    const step = stepOf(e);
    return step !== undefined && isSelected(step);
  };
  // One of the events is reached by Tab, the others from there by the arrow keys.
  const entry = choosable.find(isChosen) ?? choosable[0];
  const keys = (e: KeyboardEvent<HTMLOListElement>): void => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    const events = [...e.currentTarget.querySelectorAll<HTMLButtonElement>('button[data-event]:not(:disabled)')];
    const at = events.indexOf(document.activeElement as HTMLButtonElement);
    const next = move === undefined || at < 0 ? undefined : events[at + move];
    if (!next) return;
    e.preventDefault();
    next.focus();
  };
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const current = list.current?.querySelector<HTMLElement>('[aria-current]');
    const box = list.current;
    if (current && box) box.scrollTop = Math.max(0, current.offsetTop - box.offsetTop - 40);
  }, [turn]);
  if (turns.length === 0) return <Empty>No history yet.</Empty>;
  return (
    <ol className={css['turns']} ref={list} tabIndex={0} onKeyDown={keys} aria-label="History, turn by turn; the arrow keys go from event to event">
      {turns.map((t, i) => (
        <li key={t.first} className={cx(css['turn'], i === turn && css['turnNow'], turn !== null && i > turn && css['turnLater'])} aria-current={i === turn ? 'step' : undefined}>
          <button type="button" onClick={() => onTurn(i)} aria-label={`Show the instance as of turn ${i + 1}`}>turn {i + 1}</button>
          <div>
            {t.events.map((e) => (
              <button key={e.number} type="button" data-event={e.number} className={cx(css['event'], isChosen(e) && css['eventChosen'])} disabled={!stepOf(e)} tabIndex={e === entry ? 0 : -1} aria-pressed={isChosen(e)} onClick={() => onEvent(e)}>
                <span><span className={kit['hidden']}>event </span>{e.number}</span>
                <time dateTime={e.at}>{clock(e.at)}</time>
                <span>
                  {words(e.type)} <strong>{e.name ?? names.get(Number(e.detail?.['of'] ?? -1))}</strong>
                  {e.failure ? <span className={css['error']}> {failureText(e.failure)}</span> : <span className={cx(kit['mono'], css['payload'])}>{brief(e.output ?? e.input ?? undefined)}</span>}
                </span>
              </button>
            ))}
          </div>
        </li>
      ))}
    </ol>
  );
}

export function OrderLogs({ lines, window, until }: { lines: readonly LogLine[]; window: Moment | null; until: number | null }) {
  if (lines.length === 0) return <Empty>No line of any app speaks of it.</Empty>;
  return (
    <div className={css['scroll']} tabIndex={0} role="group" aria-label="Log lines of all apps">
      {lines.map((l) => {
        const at = Date.parse(l.at);
        return (
          <div key={l.id} className={cx(css['logLine'], window && at >= window.from - 1 && at <= window.to + 1 && css['inWindow'], until !== null && at > until && css['later'])}>
            <time dateTime={l.at}>{clock(l.at)}</time>
            <span>{l.source === 'sidecar' ? `${l.app}.daprd` : l.app}</span>
            <span className={css[l.level]}>{l.level}</span>
            <span>{l.text}</span>
          </div>
        );
      })}
    </div>
  );
}
