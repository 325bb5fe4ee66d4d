import { useCallback, useEffect, useRef, useState } from 'react';
import { get } from '../api/api';
import { useLive, useRested } from '../api/hooks';
import type { Page, TraceSummary } from '../api/types';
import { clock, count, dateTime, duration } from '../lib/format';
import { navigate, useParameters } from '../router';
import { useStatus } from '../Shell';
import { Badge, Button, cx, Empty, ErrorBox, kit, Link, PageHead, Skeleton } from '../ui/kit';
import { VirtualList } from '../ui/VirtualList';
import css from './pages.module.css';

const keyOf = (t: TraceSummary): string => t.traceId;
const pageSize = 200;

export function TracesPage() {
  const [parameters, setParameters] = useParameters();
  const service = parameters.get('service') ?? '';
  const errors = parameters.get('errors') === 'true';
  const minMs = parameters.get('minMs') ?? '';
  const [typed, setTyped] = useState(parameters.get('text') ?? '');
  const text = useRested(typed.trim());
  useEffect(() => {
    if ((parameters.get('text') ?? '') !== text) setParameters({ text });
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [text]);

  const key = JSON.stringify({ service, text, minMs, errors: errors ? 'true' : '' });
  const [list, setList] = useState<{ items: TraceSummary[]; next: string | null }>({ items: [], next: null });
  const [fresh, setFresh] = useState<TraceSummary[]>([]);
  const [state, setState] = useState<{ loading: boolean; error: unknown }>({ loading: true, error: undefined });
  const [round, setRound] = useState(0);
  const [isFollowing, setFollowing] = useState(true);
  const busy = useRef(false);

  useEffect(() => {
    const abort = new AbortController();
    setState({ loading: true, error: undefined });
    busy.current = false;
    get<Page<TraceSummary>>('/traces', { ...(JSON.parse(key) as Record<string, string>), limit: pageSize }, abort.signal).then(
      (page) => {
        setList({ items: page.items, next: page.next ?? null });
        setFresh([]);
        setState({ loading: false, error: undefined });
      },
      (error: unknown) => !abort.signal.aborted && setState({ loading: false, error }),
    );
    return () => abort.abort();
  }, [key, round]);

  const join = (items: TraceSummary[], news: readonly TraceSummary[]): TraceSummary[] => {
    const ids = new Set(news.map(keyOf));
    return [...news, ...items.filter((t) => !ids.has(t.traceId))].slice(0, 5000);
  };
  useLive(
    ['traces'],
    (_, data) => {
      const t = data as TraceSummary;
      if ((service && !t.services.includes(service)) || (errors && t.errors === 0) || (minMs && t.ms < Number(minMs)) || (text && !`${t.rootName} ${t.rootService} ${t.traceId} ${t.orderId ?? ''}`.toLowerCase().includes(text.toLowerCase()))) return;
      // A trace grows for as long as its workflow runs: what is in the list changes where it stands.
      if (list.items.some((i) => i.traceId === t.traceId)) setList((l) => ({ ...l, items: l.items.map((i) => (i.traceId === t.traceId ? t : i)) }));
      else if (isFollowing) setList((l) => ({ ...l, items: join(l.items, [t]) }));
      else setFresh((f) => join(f, [t]).slice(0, 1000));
    },
    () => setRound((r) => r + 1),
  );

  const { next } = list;
  const more = useCallback(() => {
    if (next === null || busy.current) return;
    busy.current = true;
    get<Page<TraceSummary>>('/traces', { ...(JSON.parse(key) as Record<string, string>), before: next, limit: pageSize })
      .then(
        (page) => setList((l) => (l.next === next ? { items: [...l.items, ...page.items.filter((t) => !l.items.some((i) => i.traceId === t.traceId))], next: page.next ?? null } : l)),
        (error: unknown) => setState({ loading: false, error }),
      )
      .finally(() => {
        busy.current = false;
      });
  }, [next, key]);

  const longest = list.items.reduce((m, t) => Math.max(m, t.ms), 1);
  const share = (ms: number): number => Math.max(0.4, (100 * Math.log1p(ms)) / Math.log1p(longest));
  const apps = useStatus().data?.apps.map((a) => a.app) ?? [];
  return (
    <>
      <PageHead title="Traces">
        <span className={kit['note']}>{count(list.items.length)} here{next !== null && ', older ones below'}</span>
      </PageHead>
      <div className={css['filters']} role="search">
        <input className={kit['input']} type="search" placeholder="Order, route, trace id" aria-label="Search by order, route or trace id" value={typed} onChange={(e) => setTyped(e.target.value)} spellCheck={false} />
        <select className={kit['select']} aria-label="Service that takes part" value={service} onChange={(e) => setParameters({ service: e.target.value })}>
          <option value="">every service</option>
          {apps.map((a) => (
            <option key={a} value={a}>{a}</option>
          ))}
        </select>
        <select className={kit['select']} aria-label="Least duration" value={minMs} onChange={(e) => setParameters({ minMs: e.target.value })}>
          <option value="">any duration</option>
          {['10', '100', '1000', '10000'].map((m) => (
            <option key={m} value={m}>at least {duration(Number(m))}</option>
          ))}
        </select>
        <Button pressed={errors} onClick={() => setParameters({ errors: errors ? null : 'true' })}>with errors</Button>
        {isFollowing ? (
          <Button onClick={() => setFollowing(false)}>Pause</Button>
        ) : (
          <Button kind="primary" onClick={() => { setList((l) => ({ ...l, items: join(l.items, fresh) })); setFresh([]); setFollowing(true); }}>
            Follow{fresh.length > 0 && ` (${count(fresh.length)} new)`}
          </Button>
        )}
      </div>
      {state.error !== undefined && <ErrorBox error={state.error} retry={() => setRound((r) => r + 1)} />}
      {list.items.length === 0 ? (
        state.loading ? <Skeleton rows={16} /> : state.error === undefined && <Empty>No trace fits these filters. New ones appear by themselves.</Empty>
      ) : (
        <>
          <div className={cx(css['gridHead'], css['traceGrid'])} aria-hidden="true">
            <span>At</span>
            <span>Root</span>
            <span>Duration</span>
            <span>Order</span>
            <span>Spans</span>
            <span>Errors</span>
          </div>
          <VirtualList
            className={css['fill']}
            label="Traces, the newest first"
            items={list.items}
            rowHeight={28}
            keyOf={keyOf}
            onEnd={more}
            onOpen={(t) => navigate(`/traces/${t.traceId}`)}
            render={(t, _, isActive) => (
              <Link to={`/traces/${t.traceId}`} tabIndex={-1} className={cx(css['gridRow'], css['traceGrid'], isActive && css['rowActive'])} title={t.services.join(', ')}>
                <time dateTime={t.at} title={dateTime(t.at)} className={css['muted']}>{clock(t.at)}</time>
                <span>{t.rootName} <span className={css['muted']}>{t.rootService}</span></span>
                <span className={css['spark']} data-bad={t.errors > 0 ? '' : undefined}>
                  <i style={{ width: `${share(t.ms) * 0.68}%` }} />
                  <em style={{ left: `calc(${share(t.ms) * 0.68}% + 6px)` }}>{duration(t.ms)}</em>
                </span>
                <span className={kit['mono']}>{t.orderId ?? ''}</span>
                <span>{count(t.spans)}</span>
                {t.errors > 0 ? <Badge tone="bad">{count(t.errors)}</Badge> : <span className={css['muted']}>–</span>}
              </Link>
            )}
          />
        </>
      )}
    </>
  );
}
