import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { segment } from '../../api/api';
import { isMissing, useLive, useLoad, useNow } from '../../api/hooks';
import type { HistoryEvent, LogLine, Page, Step, Trace, TraceSummary, WorkflowHistory, WorkflowInstance } from '../../api/types';
import { ago, count, dateTime, duration, when, words } from '../../lib/format';
import { brief } from '../../lib/json';
import { awaitedOf, closed, extentOf, nameOf, rowsOf, stepsAt, turnsOf } from '../../lib/timeline';
import { useParameters } from '../../router';
import { Badge, Content, Copy, cx, Empty, ErrorBox, kit, Link, PageHead, Panel, Skeleton, toneOf } from '../../ui/kit';
import { Waterfall } from '../../ui/Waterfall';
import { Actions, isOver, Rerun } from './Actions';
import { History, OrderLogs } from './History';
import { Picture, type Moment } from './Picture';
import { FailureBox, StepDetail } from './StepDetail';
import css from './instance.module.css';

const same = (a: Step, b: Step): boolean => a.number === b.number && a.kind === b.kind && a.startedAt === b.startedAt;

/** One order in one picture: its workflow, its trace, its logs; now, and as it was at each turn. */
export function InstancePage({ app, id }: { app: string; id: string }) {
  const path = `/workflows/${segment(app)}/${segment(id)}`;
  const instance = useLoad<WorkflowInstance>(path);
  const history = useLoad<WorkflowHistory>(`${path}/history`);
  const known = instance.data?.traceId;
  // Only the last traces are kept: one that is not there any more is not asked for.
  const kept = useLoad<Page<TraceSummary>>(instance.data ? '/traces' : null, known ? { text: known, limit: 1 } : { order: id, limit: 1 });
  const found = kept.data?.items[0]?.traceId;
  const traceId = known ?? found ?? null;
  const trace = useLoad<Trace>(found ? `/traces/${found}` : null);
  const ofTrace = useLoad<Page<LogLine>>(traceId ? '/logs' : null, { trace: traceId, limit: 1000 });
  const ofText = useLoad<Page<LogLine>>('/logs', { text: id, limit: 1000 });
  const [arrived, setArrived] = useState<LogLine[]>([]);

  const logs = useMemo(() => {
    const byId = new Map<string, LogLine>();
    for (const l of [...(ofTrace.data?.items ?? []), ...(ofText.data?.items ?? []), ...arrived]) byId.set(l.id, l);
    return [...byId.values()].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  }, [ofTrace.data, ofText.data, arrived]);

  // Turns come in bursts: what they changed is fetched once they rest, at the latest after a second.
  const due = useRef<{ timer: number; since: number } | null>(null);
  const refresh = useCallback(() => {
    const now = Date.now();
    const since = due.current?.since ?? now;
    if (due.current) clearTimeout(due.current.timer);
    const timer = window.setTimeout(() => {
      due.current = null;
      instance.reload();
      history.reload();
      if (found) trace.reload();
      else kept.reload();
      ofText.reload();
      if (traceId) ofTrace.reload();
    }, Math.max(0, Math.min(250, since + 1000 - now)));
    due.current = { timer, since };
    // The reloads are the same functions for as long as the page is.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [traceId, found]);
  useEffect(() => () => clearTimeout(due.current?.timer), []);

  useLive(
    ['workflows', 'traces'],
    (topic, data) => {
      if (topic === 'workflows' ? (data as { app: string; id: string }).id === id : (data as TraceSummary).traceId === traceId || (data as TraceSummary).orderId === id) refresh();
    },
    refresh,
  );
  useLive(['logs'], (_, data) => setArrived((a) => [...a, ...(data as LogLine[]).filter((l) => l.text.includes(id) || (traceId && l.traceId === traceId))].slice(-2000)), undefined, traceId ? { trace: traceId } : { text: id });

  if (isMissing(instance.error))
    return (
      <>
        <PageHead title={id} />
        <Empty>
          {app} has no such instance: it was purged, or never was. <Link to={`/logs?text=${segment(id)}`}>Search the logs</Link> or <Link to={`/traces?text=${segment(id)}`}>the traces</Link> for it.
        </Empty>
      </>
    );
  return (
    <>
      <PageHead
        title={
          <>
            {id} <Copy text={id} what="id" />
          </>
        }
      >
        {instance.data && <Actions instance={instance.data} onChanged={refresh} />}
      </PageHead>
      {instance.error !== undefined && <ErrorBox error={instance.error} retry={instance.reload} />}
      {instance.data ? (
        <Content of={history} rows={10}>
          {(h) => <Life instance={instance.data!} history={h} trace={trace.data} traceId={traceId} isKept={kept.data === undefined || found !== undefined} traceError={trace.error ?? kept.error} retryTrace={found ? trace.reload : kept.reload} logs={logs} logsError={ofText.error ?? ofTrace.error} retryLogs={ofText.reload} />}
        </Content>
      ) : (
        instance.error === undefined && <Skeleton rows={12} />
      )}
    </>
  );
}

interface LifeProps {
  instance: WorkflowInstance;
  history: WorkflowHistory;
  trace: Trace | undefined;
  traceId: string | null;
  isKept: boolean;
  traceError: unknown;
  retryTrace: () => void;
  logs: LogLine[];
  logsError: unknown;
  retryLogs: () => void;
}

const noSpans: Trace['spans'] = [];

function Life({ instance, history, trace, traceId, isKept, traceError, retryTrace, logs, logsError, retryLogs }: LifeProps) {
  const ended = isOver(instance.status);
  const clockNow = useNow();
  const createdAt = instance.createdAt ?? history.events[0]?.at ?? instance.updatedAt ?? new Date(clockNow).toISOString();
  const updated = Date.parse(instance.updatedAt ?? createdAt);
  const now = ended ? updated : Math.max(clockNow, updated);
  const [parameters, setParameters] = useParameters();
  const [turn, setTurn] = useState<number | null>(() => (parameters.has('turn') ? Number(parameters.get('turn')) - 1 : null));
  const [isPlaying, setPlaying] = useState(false);
  const [selected, setSelected] = useState<Step | null>(null);
  const [isFolded, setFolded] = useState(true);
  const [rerun, setRerun] = useState<Step | null>(null);
  const tab = parameters.get('tab') ?? 'history';

  const turns = useMemo(() => turnsOf(history.events), [history]);
  // What ends an action says its number alone.
  const names = useMemo(() => new Map(history.steps.filter((s) => typeof s.action === 'number').map((s) => [s.action!, nameOf(s)])), [history]);
  const current = turn === null ? undefined : turns[Math.min(turn, turns.length - 1)];
  const steps = useMemo(() => (current ? stepsAt(history.steps, current.at) : ended ? closed(history.steps, now) : history.steps), [history, current, ended, now]);
  const rows = useMemo(() => rowsOf(steps, instance.name), [steps, instance.name]);
  const extent = useMemo(() => extentOf(history, createdAt, ended, now), [history, createdAt, ended, now]);
  const at = current ? current.at : now;
  const chosen = selected ? (steps.find((s) => same(s, selected)) ?? null) : null;
  const window_: Moment | null = chosen ? { from: Date.parse(chosen.startedAt), to: chosen.ms !== null && chosen.ms !== undefined ? Date.parse(chosen.startedAt) + chosen.ms : chosen.state === 'open' ? at : Date.parse(chosen.startedAt) } : null;
  const awaiting = current ? awaitedOf(steps) : instance.awaiting;

  const show = (index: number | null): void => {
    setTurn(index);
    setParameters({ turn: index === null ? null : String(index + 1) });
  };
  useEffect(() => {
    if (!isPlaying) return undefined;
    const timer = setTimeout(() => {
      const next = (turn ?? -1) + 1;
      if (next >= turns.length - 1) setPlaying(false);
      setTurn(Math.min(next, turns.length - 1));
    }, 700);
    return () => clearTimeout(timer);
  }, [isPlaying, turn, turns.length]);
  const play = (): void => {
    if (!isPlaying && (turn === null || turn >= turns.length - 1)) setTurn(0);
    setPlaying((p) => !p);
  };
  const stepOf = (event: HistoryEvent): Step | undefined => {
    const of = event.detail['of'] ?? event.detail['action'];
    return (of === undefined ? undefined : history.steps.find((s) => s.action === of)) ?? history.steps.find((s) => s.name === event.name && s.startedAt === event.at);
  };
  const choose = (event: HistoryEvent): void => {
    const step = stepOf(event);
    if (step) setSelected(step);
  };

  const tabs: [string, string][] = [
    ['history', `History (${count(history.events.length)})`],
    ['logs', `Logs (${count(logs.length)})`],
    ['spans', `Trace (${count(trace?.spans.length ?? 0)})`],
  ];
  return (
    <>
      <dl className={css['facts']}>
        <div><dt className={kit['hidden']}>Status</dt><dd><Badge tone={toneOf(current && current !== turns.at(-1) ? 'running' : instance.status)}>{current && current !== turns.at(-1) ? 'as it was' : words(instance.status)}</Badge></dd></div>
        <div><dt>workflow</dt><dd>{instance.name}</dd></div>
        <div><dt>app</dt><dd><Link to={`/logs?app=${segment(instance.app)}`}>{instance.app}</Link></dd></div>
        {instance.customStatus && !current && !ended && <div><dt>step</dt><dd>{brief(instance.customStatus)}</dd></div>}
        <div><dt>created</dt><dd><time dateTime={createdAt} title={dateTime(createdAt)}>{when(createdAt)}, {ago(createdAt, clockNow)}</time></dd></div>
        <div><dt>{ended ? 'took' : 'runs for'}</dt><dd>{duration(Math.max(0, now - Date.parse(createdAt)))}</dd></div>
        {instance.parent?.id && <div><dt>child of</dt><dd><Link to={`/workflows/${segment(instance.parent.app ?? instance.app)}/${segment(instance.parent.id)}`}>{instance.parent.id}</Link></dd></div>}
        {instance.rerunOf && <div><dt>runs again</dt><dd><Link to={`/workflows/${segment(instance.app)}/${segment(instance.rerunOf)}`}>{instance.rerunOf}</Link></dd></div>}
        {!!instance.waiting?.length && <div><dt>next turn</dt><dd>{instance.waiting.join(', ')}</dd></div>}
        {traceId && <div><dt>trace</dt><dd><Link to={`/traces/${traceId}`} className={kit['mono']}>{traceId.slice(0, 16)}…</Link></dd></div>}
        <div><dt>logs</dt><dd><Link to={traceId ? `/logs?trace=${traceId}` : `/logs?text=${segment(instance.id)}`}>in the log view</Link></dd></div>
      </dl>
      {instance.failure && !current && (
        <div className={css['failure']}>
          <FailureBox failure={instance.failure} />
        </div>
      )}
      {awaiting.length > 0 && (
        <div className={css['awaiting']}>
          <span>{current ? `After turn ${Math.min(turn!, turns.length - 1) + 1} it waits for` : 'Waits for'}</span>
          <ul>
            {awaiting.map((a, i) => (
              <li key={`${a.kind} ${a.name} ${i}`}>
                <Badge tone="wait">{a.kind}</Badge>
                <strong>{a.childId ? <Link to={`/workflows/${segment(instance.app)}/${segment(a.childId)}`}>{a.name}</Link> : nameOf(a)}</strong>
                {a.since && !current && <span className={kit['note']}>for {duration(Math.max(0, now - Date.parse(a.since)))}</span>}
                {a.until && Date.parse(a.until) > clockNow && Date.parse(a.until) < clockNow + 400 * 86_400_000 && !current && <span className={kit['note']}>until {when(a.until)}</span>}
              </li>
            ))}
          </ul>
        </div>
      )}
      <Picture
        instance={instance}
        rows={rows}
        steps={history.steps}
        turns={turns}
        extent={extent}
        now={current ? current.at : now}
        spans={trace?.spans ?? noSpans}
        traceAt={trace ? Date.parse(trace.at) : 0}
        logs={logs}
        turn={current ? Math.min(turn!, turns.length - 1) : null}
        onTurn={(t) => {
          setPlaying(false);
          show(t);
        }}
        isPlaying={isPlaying}
        onPlay={play}
        selected={chosen}
        onSelect={setSelected}
        window={window_}
        isFolded={isFolded}
        onFold={() => setFolded((f) => !f)}
      />
      <div className={kit['split']} data-detail="">
        <Panel flush>
          <div className={kit['tabs']} role="tablist" aria-label="Details">
            {tabs.map(([name, label]) => (
              <button
                key={name}
                type="button"
                role="tab"
                id={`tab-${name}`}
                aria-selected={tab === name}
                aria-controls="tab-panel"
                tabIndex={tab === name ? 0 : -1}
                onClick={() => setParameters({ tab: name === 'history' ? null : name })}
                onKeyDown={(e) => {
                  const move = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? tabs.length - 1 : 0;
                  if (move === 0) return;
                  const next = tabs[(tabs.findIndex(([n]) => n === tab) + move) % tabs.length]![0];
                  setParameters({ tab: next });
                  document.getElementById(`tab-${next}`)?.focus();
                }}
              >
                {label}
              </button>
            ))}
          </div>
          <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${tab}`}>
            {tab === 'history' && <History turns={turns} names={names} turn={current ? Math.min(turn!, turns.length - 1) : null} onTurn={show} stepOf={stepOf} isSelected={(s) => selected !== null && same(s, selected)} onEvent={choose} />}
            {tab === 'logs' && (
              <>
                {logsError !== undefined && <ErrorBox error={logsError} retry={retryLogs} />}
                <OrderLogs lines={logs} window={window_} until={current ? current.at : null} />
              </>
            )}
            {tab === 'spans' && (
              <div className={cx(css['scroll'])} tabIndex={0} role="group" aria-label="Spans">
                {trace ? <Waterfall trace={trace} /> : traceError !== undefined ? isMissing(traceError) ? <Empty>The trace is no longer kept: only the last ones are.</Empty> : <ErrorBox error={traceError} retry={retryTrace} /> : <Empty>{!traceId ? 'No trace was received for it.' : isKept ? 'Loading the trace.' : 'The trace is not kept: only the last ones are.'}</Empty>}
              </div>
            )}
          </div>
        </Panel>
        <div className={css['side']} tabIndex={0} role="group" aria-label="The step that is chosen">
          <StepDetail step={chosen} row={chosen ? rows.find((r) => r.steps.some((s) => same(s, chosen))) : undefined} instance={instance} onSelect={setSelected} onRerun={setRerun} />
        </div>
      </div>
      <Rerun key={rerun?.number ?? 'none'} instance={instance} step={rerun} onClose={() => setRerun(null)} />
    </>
  );
}
