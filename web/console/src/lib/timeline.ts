import type { Awaited, HistoryEvent, Step, WorkflowHistory } from '../api/types';
import type { Interval } from './scale';

/** A run of the workflow's code: what woke it, and what it decided. */
export interface Turn {
  turn: number;
  first: number;
  last: number;
  at: number;
  events: HistoryEvent[];
}

export interface Row {
  key: string;
  kind: string;
  label: string;
  compensation: boolean;
  steps: Step[];
  /** The attempt that counts: the last. */
  state: Step['state'];
}

const time = (iso: string): number => Date.parse(iso);

export function turnsOf(events: readonly HistoryEvent[]): Turn[] {
  const turns: Turn[] = [];
  for (const event of events) {
    const last = turns.at(-1);
    if (last && last.turn === event.turn) {
      last.events.push(event);
      last.last = event.number;
      last.at = Math.max(last.at, time(event.at));
    } else {
      turns.push({ turn: event.turn, first: event.number, last: event.number, at: time(event.at), events: [event] });
    }
  }
  return turns;
}

/** The steps as they stood at that time: later ones are not there yet, those that ended later are open. */
export function stepsAt(steps: readonly Step[], at: number): Step[] {
  const known: Step[] = [];
  for (const step of steps) {
    const start = time(step.startedAt);
    if (start > at) continue;
    if (step.ms !== null && step.ms !== undefined && start + step.ms > at) known.push({ ...step, ms: null, state: 'open', output: undefined, failure: undefined });
    else known.push(step);
  }
  return known;
}

/** Of an instance that is over: what was still open then is not waited for any more. */
export function closed(steps: readonly Step[], end: number): Step[] {
  return steps.map((s) => (s.state === 'open' ? { ...s, state: 'unneeded', ms: Math.max(0, end - time(s.startedAt)) } : s));
}

const awaitedKinds: Record<string, Awaited['kind']> = { activity: 'activity', child: 'child', timer: 'timer', retry: 'timer', wait: 'event', event: 'event' };

/** The event that is waited for, without the words of the timer behind it; a timer without its time, which has a place of its own. */
export const nameOf = (step: Pick<Step, 'kind' | 'name'>): string => (step.kind === 'wait' ? (/^for event (\S+)/.exec(step.name)?.[1] ?? step.name) : step.name.replace(/,? until \d[\d:.]*$/, ''));

/** What the instance waits for, as its open steps say. */
export function awaitedOf(steps: readonly Step[]): Awaited[] {
  return steps.filter((s) => s.state === 'open' && awaitedKinds[s.kind]).map((s) => ({ kind: awaitedKinds[s.kind]!, name: nameOf(s), since: s.startedAt }));
}

export const isRetryTimer = (step: Step): boolean => step.kind === 'retry' || (step.kind === 'timer' && /retry/i.test(step.name));
export const isWait = (step: Step): boolean => step.kind === 'wait' || step.kind === 'timer' || step.kind === 'retry';
/** Begin and end of the instance, and what others did to it: a mark, not a bar. */
export const isMark = (step: Step): boolean => step.state === 'happened' || step.kind === 'start' || step.kind === 'end' || ((step.ms === null || step.ms === undefined) && step.state !== 'open');

/**
 * A row for each thing that was done: all attempts of an activity in one, with the timers between them, in order of their beginning.
 * Marks share the row of the instance, which comes first.
 */
export function rowsOf(steps: readonly Step[], instance: string): Row[] {
  const rows = new Map<string, Row>();
  const row = (key: string, kind: string, label: string, compensation: boolean): Row => {
    let found = rows.get(key);
    if (!found) rows.set(key, (found = { key, kind, label, compensation, steps: [], state: 'happened' }));
    return found;
  };
  const life = row('instance', 'instance', instance, false);
  let lastFailed: Row | null = null;
  for (const step of steps) {
    if (isMark(step)) {
      life.steps.push(step);
      if (step.kind === 'end') life.state = step.state;
      continue;
    }
    if (isRetryTimer(step) && lastFailed) {
      lastFailed.steps.push(step);
      if (step.state === 'open') lastFailed.state = 'open';
      continue;
    }
    // Waiting twice for the same event is one line; a child of the same name is another child.
    const key = step.kind === 'child' ? `child ${step.childId ?? step.number}` : step.kind === 'timer' ? `timer ${step.number}` : `${step.kind} ${nameOf(step)} ${step.compensation ? 'undo' : ''}`;
    const found = row(key, step.kind, nameOf(step), step.compensation === true);
    found.steps.push(step);
    found.state = step.state;
    if (step.kind === 'activity' || step.kind === 'child') lastFailed = step.state === 'failed' ? found : lastFailed === found ? null : lastFailed;
  }
  return [...rows.values()];
}

export const attemptsOf = (row: Row): number => row.steps.filter((s) => !isRetryTimer(s)).length;

/** What fills time, for an axis that folds the rest: work, and the moments at which something happened. */
export function busyTimes(steps: readonly Step[], now: number): Interval[] {
  const busy: Interval[] = [];
  for (const step of steps) {
    const start = time(step.startedAt);
    const end = step.ms === null || step.ms === undefined ? (step.state === 'open' ? now : start) : start + step.ms;
    if (!isWait(step) && step.state !== 'open') busy.push([start, end]);
    else busy.push([start, start], [end, end]);
  }
  return busy;
}

export interface Extent {
  from: number;
  to: number;
}

export function extentOf(history: WorkflowHistory, createdAt: string, isOver: boolean, now: number): Extent {
  let from = time(createdAt);
  let to = from;
  for (const step of history.steps) {
    const start = time(step.startedAt);
    from = Math.min(from, start);
    to = Math.max(to, start + (step.ms ?? 0));
  }
  for (const event of history.events) to = Math.max(to, time(event.at));
  return { from, to: isOver ? Math.max(to, from + 1) : Math.max(to, now) };
}

/** The turn that was the last at a time: for a playhead that is dragged. Its index, or -1 before the first. */
export function turnAt(turns: readonly Turn[], at: number): number {
  let found = -1;
  for (const [index, turn] of turns.entries()) if (turn.at <= at) found = index;
  return found;
}
