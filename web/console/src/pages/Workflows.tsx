import { useCallback, useEffect, useRef, useState } from 'react';
import { get, segment } from '../api/api';
import { useLive, useNow, useRested } from '../api/hooks';
import type { Page, WorkflowSummary } from '../api/types';
import { ago, count, dateTime, duration, when, words } from '../lib/format';
import { brief } from '../lib/json';
import { navigate, useParameters } from '../router';
import { useStatus } from '../Shell';
import { Badge, Button, cx, Empty, ErrorBox, kit, Link, PageHead, Skeleton, toneOf } from '../ui/kit';
import { VirtualList } from '../ui/VirtualList';
import css from './pages.module.css';

/** Of an instance that was removed only where it was. */
type Change = Pick<WorkflowSummary, 'app' | 'id' | 'status' | 'updatedAt'> & { name?: string | null };
const statuses = ['running', 'pending', 'suspended', 'completed', 'failed', 'terminated'] as const;
const keyOf = (w: WorkflowSummary): string => `${w.app}/${w.id}`;
const to = (w: WorkflowSummary): string => `/workflows/${segment(w.app)}/${segment(w.id)}`;
const pageSize = 200;

export function WorkflowsPage() {
  const [parameters, setParameters] = useParameters();
  const status = parameters.get('status') ?? '';
  const app = parameters.get('app') ?? '';
  const [typed, setTyped] = useState(parameters.get('text') ?? '');
  const text = useRested(typed.trim());
  useEffect(() => {
    if ((parameters.get('text') ?? '') !== text) setParameters({ text });
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [text]);

  const key = JSON.stringify({ status, app, text });
  const [list, setList] = useState<{ items: WorkflowSummary[]; next: string | null; total: number | null }>({ items: [], next: null, total: null });
  const [state, setState] = useState<{ loading: boolean; error: unknown }>({ loading: true, error: undefined });
  const [round, setRound] = useState(0);
  const [fresh, setFresh] = useState<Map<string, Change>>(new Map());
  const busy = useRef(false);

  useEffect(() => {
    const abort = new AbortController();
    setState({ loading: true, error: undefined });
    busy.current = false;
    get<Page<WorkflowSummary>>('/workflows', { ...(JSON.parse(key) as Record<string, string>), limit: pageSize }, abort.signal).then(
      (page) => {
        setList({ items: page.items, next: page.next ?? null, total: page.total ?? null });
        setFresh(new Map());
        setState({ loading: false, error: undefined });
      },
      (error: unknown) => !abort.signal.aborted && setState({ loading: false, error }),
    );
    return () => abort.abort();
  }, [key, round]);

  // What is in the list changes where it stands; what is new waits until the reader wants it, so that nothing jumps.
  useLive(
    ['workflows'],
    (_, data) => {
      const change = data as Change;
      const id = `${change.app}/${change.id}`;
      const known = list.items.findIndex((w) => keyOf(w) === id);
      if (change.status === 'removed') setList((l) => ({ ...l, items: l.items.filter((w) => keyOf(w) !== id) }));
      else if (known >= 0) setList((l) => ({ ...l, items: l.items.map((w) => (keyOf(w) === id ? { ...w, ...change, name: change.name ?? w.name } : w)) }));
      else if ((!app || app === change.app) && (!status || status.split(',').includes(change.status)) && (!text || change.id.toLowerCase().includes(text.toLowerCase()))) setFresh((f) => (f.size >= 1000 ? f : new Map(f).set(id, change)));
    },
    () => setRound((r) => r + 1),
  );

  const { next } = list;
  const more = useCallback(() => {
    if (next === null || busy.current) return;
    busy.current = true;
    get<Page<WorkflowSummary>>('/workflows', { ...(JSON.parse(key) as Record<string, string>), after: next, limit: pageSize })
      .then(
        (page) =>
          setList((l) => {
            if (l.next !== next) return l;
            const known = new Set(l.items.slice(-1000).map(keyOf));
            return { ...l, items: [...l.items, ...page.items.filter((w) => !known.has(keyOf(w)))], next: page.next ?? null };
          }),
        (error: unknown) => setState({ loading: false, error }),
      )
      .finally(() => {
        busy.current = false;
      });
  }, [next, key]);

  const now = useNow();
  const apps = useStatus().data?.apps.map((a) => a.app) ?? [];
  const chosen = status ? status.split(',') : [];
  return (
    <>
      <PageHead title="Workflows">
        <span className={kit['note']}>{list.total !== null ? `${count(list.total)} instances` : list.next === null ? `${count(list.items.length)} instances` : `${count(list.items.length)} and more`}</span>
      </PageHead>
      <div className={css['filters']} role="search">
        <input className={kit['input']} type="search" placeholder="Order, instance, name" aria-label="Search by id or name" value={typed} onChange={(e) => setTyped(e.target.value)} spellCheck={false} />
        {statuses.map((s) => (
          <Button key={s} pressed={chosen.includes(s)} onClick={() => setParameters({ status: (chosen.includes(s) ? chosen.filter((c) => c !== s) : [...chosen, s]).join(',') })}>
            <Badge tone={toneOf(s)}>{s}</Badge>
          </Button>
        ))}
        <select className={kit['select']} aria-label="App" value={app} onChange={(e) => setParameters({ app: e.target.value })}>
          <option value="">every app</option>
          {apps.map((a) => (
            <option key={a} value={a}>{a}</option>
          ))}
        </select>
        {fresh.size > 0 && <Button kind="primary" onClick={() => setRound((r) => r + 1)}>Show {count(fresh.size)} new</Button>}
      </div>
      {state.error !== undefined && <ErrorBox error={state.error} retry={() => setRound((r) => r + 1)} />}
      {list.items.length === 0 ? (
        state.loading ? <Skeleton rows={16} /> : state.error === undefined && <Empty>No instance fits these filters.</Empty>
      ) : (
        <>
          <div className={cx(css['gridHead'], css['workflowGrid'])} aria-hidden="true">
            <span>Instance</span>
            <span>Status</span>
            <span>Step</span>
            <span>Workflow</span>
            <span>App</span>
            <span>Created</span>
            <span>Took</span>
          </div>
          <VirtualList
            className={css['fill']}
            label="Workflow instances, the newest first"
            items={list.items}
            rowHeight={28}
            keyOf={keyOf}
            onEnd={more}
            onOpen={(w) => navigate(to(w))}
            render={(w, _, isActive) => (
              <Link to={to(w)} tabIndex={-1} className={cx(css['gridRow'], css['workflowGrid'], isActive && css['rowActive'])}>
                <span className={kit['mono']}>{w.id}</span>
                <Badge tone={toneOf(w.status)}>{words(w.status)}</Badge>
                <span>{w.customStatus && w.status !== 'completed' ? brief(w.customStatus) : <span className={css['muted']}>–</span>}</span>
                <span className={css['muted']}>{w.name}</span>
                <span className={css['muted']}>{w.app}</span>
                {w.createdAt ? <time dateTime={w.createdAt} title={`${dateTime(w.createdAt)}, ${ago(w.createdAt, now)}`} className={css['muted']}>{when(w.createdAt, now)}</time> : <span className={css['muted']}>–</span>}
                <span className={css['muted']}>{w.createdAt ? duration(Math.max(0, (w.status === 'running' || !w.updatedAt ? now : Date.parse(w.updatedAt)) - Date.parse(w.createdAt))) : '–'}</span>
              </Link>
            )}
          />
        </>
      )}
    </>
  );
}
