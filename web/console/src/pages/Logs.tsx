import { useCallback, useEffect, useRef, useState } from 'react';
import { get, messageOf } from '../api/api';
import { useLive, useRested } from '../api/hooks';
import type { LogLine, Page } from '../api/types';
import { clock, count, dateTime } from '../lib/format';
import { append, empty, levels, matches, prepend, type LogWindow } from '../lib/logs';
import { useParameters } from '../router';
import { useStatus } from '../Shell';
import { Badge, Button, cx, Empty, ErrorBox, Facts, Json, kit, Link, PageHead, Panel, Skeleton, Copy } from '../ui/kit';
import { VirtualList, type VirtualHandle } from '../ui/VirtualList';
import css from './pages.module.css';

const keyOf = (l: LogLine): string => l.id;
const pageSize = 500;

export function LogsPage() {
  const [parameters, setParameters] = useParameters();
  const app = parameters.getAll('app');
  const level = parameters.get('level') ?? '';
  const trace = parameters.get('trace') ?? '';
  const [typed, setTyped] = useState(parameters.get('text') ?? '');
  const text = useRested(typed.trim());
  useEffect(() => {
    if ((parameters.get('text') ?? '') !== text) setParameters({ text });
    // The address follows the field, not the other way round.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [text]);

  const filter = { app, level, text, trace };
  const key = JSON.stringify(filter);
  const [lines, setLines] = useState<LogWindow>(empty);
  const [state, setState] = useState<{ loading: boolean; error: unknown }>({ loading: true, error: undefined });
  const [round, setRound] = useState(0);
  const [isFollowing, setFollowing] = useState(true);
  const [held, setHeld] = useState<LogLine[]>([]);
  const [open, setOpen] = useState<LogLine | null>(null);
  const busy = useRef(false);
  const list = useRef<VirtualHandle>(null);

  useEffect(() => {
    const abort = new AbortController();
    setLines(empty);
    setHeld([]);
    setState({ loading: true, error: undefined });
    setFollowing(true);
    busy.current = false;
    get<Page<LogLine>>('/logs', { ...(JSON.parse(key) as typeof filter), limit: pageSize }, abort.signal).then(
      (page) => {
        // Lines that came by the stream meanwhile stay.
        setLines((w) => append(prepend(empty, page.items, page.next ?? null), w.lines));
        setState({ loading: false, error: undefined });
      },
      (error: unknown) => !abort.signal.aborted && setState({ loading: false, error }),
    );
    return () => abort.abort();
  }, [key, round]);

  useLive(
    ['logs'],
    (_, data) => {
      const fresh = (data as LogLine[]).filter((l) => matches(l, filter));
      if (fresh.length === 0) return;
      if (isFollowing) setLines((w) => append(w, fresh));
      else setHeld((h) => [...h, ...fresh].slice(-20_000));
    },
    () => setRound((r) => r + 1),
    { app, level, text, trace },
  );

  const follow = (): void => {
    if (lines.detached) setRound((r) => r + 1);
    else setLines((w) => append(w, held));
    setHeld([]);
    setFollowing(true);
  };
  const atEnd = useCallback((isAtEnd: boolean) => {
    if (!isAtEnd) setFollowing(false);
  }, []);

  const older = lines.older;
  const loadOlder = useCallback(() => {
    if (older === null || busy.current || state.loading) return;
    busy.current = true;
    const asked = key;
    get<Page<LogLine>>('/logs', { ...(JSON.parse(asked) as typeof filter), before: older, limit: pageSize })
      .then((page) => setLines((w) => (w.older === older ? prepend(w, page.items, page.next ?? null) : w)), (error: unknown) => setState({ loading: false, error }))
      .finally(() => {
        busy.current = false;
      });
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [older, key, state.loading]);

  const apps = useStatus().data?.apps.map((a) => a.app) ?? [];
  const choices = [...apps, 'platform', 'postgres'];
  return (
    <>
      <PageHead title="Logs">
        <span className={kit['note']} aria-live="off">
          {count(lines.lines.length)} lines here{older !== null && ', older ones above'}
        </span>
      </PageHead>
      <div className={css['filters']} role="search">
        <input className={kit['input']} type="search" placeholder="Text" aria-label="Text in the lines" value={typed} onChange={(e) => setTyped(e.target.value)} spellCheck={false} />
        <select className={kit['select']} aria-label="Least level" value={level} onChange={(e) => setParameters({ level: e.target.value })}>
          <option value="">every level</option>
          {levels.slice(1).map((l) => (
            <option key={l} value={l}>{l} and above</option>
          ))}
        </select>
        <select
          className={kit['select']}
          aria-label="Add an app to the filter"
          value=""
          onChange={(e) => e.target.value && setParameters({ app: [...app, e.target.value] })}
        >
          <option value="">{app.length === 0 ? 'every app' : 'another app…'}</option>
          {choices.filter((a) => !app.includes(a)).map((a) => (
            <option key={a} value={a}>{a}</option>
          ))}
        </select>
        {app.map((a) => (
          <Button key={a} pressed aria-label={`No longer only ${a}`} onClick={() => setParameters({ app: app.filter((x) => x !== a) })}>{a} ×</Button>
        ))}
        {trace && <Button pressed aria-label="Lines of every trace" onClick={() => setParameters({ trace: null })}>trace {trace.slice(0, 8)}… ×</Button>}
        {trace && <Link to={`/traces/${trace}`}>its spans</Link>}
        {isFollowing ? <Button onClick={() => setFollowing(false)}>Pause</Button> : <Button kind="primary" onClick={follow}>Follow{held.length > 0 && ` (${count(held.length)} new)`}</Button>}
      </div>
      <div className={kit['split']} data-detail={open ? '' : undefined}>
        <div>
          {state.error !== undefined && <ErrorBox error={new Error(messageOf(state.error))} retry={() => setRound((r) => r + 1)} />}
          {state.loading && lines.lines.length === 0 ? (
            <Skeleton rows={16} />
          ) : lines.lines.length === 0 ? (
            state.error === undefined && <Empty>{older === null ? 'No line fits these filters. New ones appear by themselves.' : <Button onClick={loadOlder}>No line among the latest. Search further back</Button>}</Empty>
          ) : (
            <VirtualList
              ref={list}
              className={css['fill']}
              label="Log lines, the newest last"
              items={lines.lines}
              rowHeight={22}
              keyOf={keyOf}
              follow={isFollowing}
              onAtEnd={atEnd}
              onStart={loadOlder}
              onOpen={setOpen}
              render={(l, _, isActive) => <Row line={l} isActive={isActive} isOpen={open?.id === l.id} onOpen={setOpen} />}
            />
          )}
        </div>
        {open && <Detail line={open} onClose={() => setOpen(null)} />}
      </div>
    </>
  );
}

function Row({ line, isActive, isOpen, onOpen }: { line: LogLine; isActive: boolean; isOpen: boolean; onOpen: (line: LogLine) => void }) {
  return (
    <div className={cx(css['logRow'], isActive && css['rowActive'], isOpen && css['rowOpen'])} data-level={line.level} onClick={() => onOpen(line)}>
      <time dateTime={line.at}>{clock(line.at)}</time>
      <span className={css['source']}>{line.source === 'sidecar' ? `${line.app}.daprd` : line.app}</span>
      <span className={css[`level${line.level}`]}>{line.level}</span>
      <span title={line.text}>{line.text}</span>
    </div>
  );
}

const order = /\bORD-[0-9A-Za-z-]+/;

function Detail({ line, onClose }: { line: LogLine; onClose: () => void }) {
  const orderId = order.exec(line.text)?.[0] ?? order.exec(JSON.stringify(line.fields ?? {}))?.[0];
  return (
    <Panel title="Line" tools={<Button kind="quiet" onClick={onClose}>Close</Button>}>
      <div className={kit['stacked']}>
        <Facts
          of={[
            ['at', dateTime(line.at)],
            ['app', `${line.app}${line.source === 'sidecar' ? ', its sidecar' : ''}`],
            ['level', <Badge key="l" tone={line.level === 'error' ? 'bad' : line.level === 'warn' ? 'warn' : 'idle'}>{line.level}</Badge>],
            !!line.traceId && ['trace', <span key="t"><Link to={`/traces/${line.traceId}`} className={kit['mono']}>{line.traceId}</Link> · <Link to={`/logs?trace=${line.traceId}`}>its lines</Link></span>],
            !!orderId && ['order', <Link key="o" to={`/order/${orderId}`} className={kit['mono']}>{orderId}</Link>],
          ]}
        />
        <div>
          <Copy text={line.text} what="line" />
          <Json value={line.text} label="Text of the line" />
        </div>
        {line.fields && Object.keys(line.fields).length > 0 && <Json value={line.fields} label="Fields of the line" />}
      </div>
    </Panel>
  );
}
