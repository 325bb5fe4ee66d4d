import { use, useEffect, useRef, useState, type ReactNode } from 'react';
import { change, segment } from '../api/api';
import { useLive, useLoad, useNow } from '../api/hooks';
import type { AppStatus, Business, StackEvent, Status } from '../api/types';
import { ago, bytes, count, dateTime, duration, money, number, percent, when, words } from '../lib/format';
import { useStatus } from '../Shell';
import { Act, Badge, Button, Content, cx, Dialog, Empty, kit, Link, PageHead, Panel, SessionContext, Table, toneOf, useMay, useToast } from '../ui/kit';
import { messageOf } from '../api/api';
import css from './pages.module.css';

export function HomePage() {
  const status = useStatus();
  const session = use(SessionContext);
  return (
    <>
      <PageHead title="Home">
        {session.storefrontUrl && <a href={local(session.storefrontUrl)}>the shop</a>}
        {status.data && <Summary of={status.data} />}
      </PageHead>
      <div className={css['stack']}>
        <Readouts />
        <Panel title="Apps" flush tools={<Link to="/logs">all logs</Link>}>
          <Content of={status} rows={8}>{(s) => <Apps status={s} />}</Content>
        </Panel>
        <div className={css['columns']}>
          <BusinessPanels />
          <Events />
        </div>
      </div>
    </>
  );
}

function Summary({ of }: { of: Status }) {
  const down = of.apps.filter((a) => a.state !== 'healthy').length;
  return <Badge tone={of.healthy ? 'ok' : 'warn'}>{of.healthy ? 'everything serves' : down > 0 ? `${down} of ${of.apps.length} apps do not serve` : 'not everything serves'}</Badge>;
}

const load = (value: number | number[] | null | undefined): number | undefined => (Array.isArray(value) ? value[0] : (value ?? undefined));

function Readouts() {
  const { data } = useStatus();
  const machine = data?.machine;
  const readouts: [string, ReactNode][] = [
    ['Up for', data && duration(data.uptimeSeconds * 1000)],
    ['Started in', data?.startSeconds ? duration(data.startSeconds * 1000) : '–'],
    ['CPU of the stack', data?.cpuPercent === null || data?.cpuPercent === undefined ? '–' : percent(data.cpuPercent / 100)],
    ['Memory of the stack', data && bytes(data.residentBytes)],
    ['of it the platform', data && bytes(data.runtimeResidentBytes)],
    ['Load, processors', machine && [number(load(machine.loadAverage) ?? 0, 2), <small key="c"> of {machine.cpus}</small>]],
    ['Memory free', machine && [bytes(machine.memoryAvailableBytes), <small key="c"> of {bytes(machine.memoryTotalBytes)}</small>]],
    ['Disk free', machine && [bytes(machine.diskFreeBytes), <small key="c"> of {bytes(machine.diskTotalBytes)}</small>]],
  ];
  return (
    <dl className={css['readouts']}>
      {readouts.map(([name, value]) => (
        <div className={css['readout']} key={name}>
          <dt>{name}</dt>
          <dd>{value ?? '–'}</dd>
        </div>
      ))}
    </dl>
  );
}

const local = (url: string): string => {
  try {
    const u = new URL(url);
    if (['localhost', '127.0.0.1', '[::1]'].includes(u.hostname)) u.hostname = location.hostname;
    return u.href;
  } catch {
    return url;
  }
};

function Apps({ status }: { status: Status }) {
  const toast = useToast();
  const may = useMay('operator');
  const now = useNow();
  const [stopping, setStopping] = useState<AppStatus | null>(null);
  const act = (app: string, action: string): Promise<unknown> => {
    acted.current = app;
    return change('POST', `/apps/${segment(app)}/${action}`);
  };
  // The button that stops an app gives way to the one that starts it: the focus goes over.
  const acted = useRef<string | null>(null);
  useEffect(() => {
    if (acted.current === null || document.activeElement !== document.body) return;
    document.querySelector<HTMLElement>(`[data-actions="${CSS.escape(acted.current)}"] button:not(:disabled)`)?.focus();
  }, [status]);
  const db = status.postgres;
  return (
    <>
      <Table label="Apps" head={['App', 'State', { text: 'Instances', num: true }, { text: 'Restarts', num: true }, { text: 'CPU', num: true }, { text: 'Memory', num: true }, 'Up since', 'Address', 'Sidecar', '']}>
        {status.apps.map((a) => (
          <tr key={a.app}>
            <td>
              <Link to={`/logs?app=${segment(a.app)}`} className={css['appName']} title={`Logs of ${a.app}`}>{a.app}</Link>
            </td>
            <td>
              <Badge tone={toneOf(a.state)}>{words(a.state)}</Badge>
              {a.note ? <span className={css['cellNote']}>{a.note}</span> : a.state !== 'healthy' && a.lastAction && <span className={css['cellNote']}>{a.lastAction.action} by {a.lastAction.who}</span>}
            </td>
            <td className={kit['num']}>{a.instances ?? (a.pid ? 1 : 0)}</td>
            <td className={kit['num']}>{count(a.restarts)}</td>
            <td className={kit['num']}>{a.cpuPercent === null || a.cpuPercent === undefined || !a.pid ? '–' : percent(a.cpuPercent / 100)}</td>
            <td className={kit['num']}>{a.residentBytes > 0 ? bytes(a.residentBytes) : '–'}</td>
            <td>{a.startedAt ? <time dateTime={a.startedAt} title={dateTime(a.startedAt)}>{ago(a.startedAt, now)}</time> : '–'}</td>
            <td className={css['ports']}>
              {a.url ? <a href={local(a.url)}>{new URL(a.url).port || a.url}</a> : '–'}
              {a.swaggerUrl && <> · <a href={local(a.swaggerUrl)} aria-label={`Swagger UI of ${a.app}`}>Swagger UI</a></>}
              {a.healthUrl && <> · <a href={local(a.healthUrl)} aria-label={`Health of ${a.app}`}>health</a></>}
            </td>
            <td className={css['ports']}>
              <Badge tone={a.sidecarHealthy ? 'ok' : 'bad'}>{a.daprHttpPort}, {a.daprGrpcPort}</Badge>
            </td>
            <td>
              <div className={css['actions']} data-actions={a.app}>
                {a.state === 'stopped' ? (
                  <Act role="operator" run={() => act(a.app, 'start')} done={`${a.app} was started`} label={`Start ${a.app}`}>Start</Act>
                ) : (
                  <>
                    <Act role="operator" kind="quiet" run={() => act(a.app, 'restart')} done={`${a.app} was restarted`} label={`Restart ${a.app}`}>Restart</Act>
                    <Button kind="quiet" disabled={!may} onClick={() => setStopping(a)} aria-label={`Stop ${a.app}`}>Stop</Button>
                  </>
                )}
              </div>
            </td>
          </tr>
        ))}
        {db && (
          <tr>
            <td><Link to="/logs?app=postgres" className={css['appName']}>PostgreSQL {db.version}</Link></td>
            <td>
              <Badge tone={toneOf(db.state)}>{words(db.state)}</Badge>
              {db.note && <span className={css['cellNote']}>{db.note}</span>}
            </td>
            <td className={kit['num']}>{db.pid ? 1 : 0}</td>
            <td className={kit['num']}>{count(db.restarts)}</td>
            <td className={kit['num']}>{db.cpuPercent === null || db.cpuPercent === undefined ? '–' : percent(db.cpuPercent / 100)}</td>
            <td className={kit['num']}>{bytes(db.residentBytes)}</td>
            <td>–</td>
            <td className={css['ports']}>{db.port}</td>
            <td>–</td>
            <td />
          </tr>
        )}
      </Table>
      <Dialog
        title={`Stop ${stopping?.app ?? ''}?`}
        open={stopping !== null}
        onClose={() => setStopping(null)}
        action={`Stop ${stopping?.app ?? ''}`}
        danger
        onAction={() => act(stopping!.app, 'stop').then(() => toast('ok', `${stopping!.app} was stopped`), (e: unknown) => { throw new Error(messageOf(e)); })}
      >
        <p>Its calls fail and its messages wait until it is started again. Nothing is lost: workflows retry, topics keep their messages.</p>
      </Dialog>
    </>
  );
}

function Events() {
  const events = useLoad<StackEvent[]>('/events');
  useLive(['events'], (_, data) => events.set((e) => [...(e ?? []), data as StackEvent].slice(-500)), events.reload);
  return (
    <Panel title="Events" flush note="newest first">
      <Content of={events}>
        {(list) =>
          list.length === 0 ? (
            <Empty>Nothing has happened yet.</Empty>
          ) : (
            <ul className={css['events']} tabIndex={0} aria-label="Events of the stack">
              {list.toReversed().map((e, i) => (
                <li key={`${e.at} ${e.text} ${i}`} data-kind={e.kind}>
                  <time dateTime={e.at} title={dateTime(e.at)}>{when(e.at)}</time>
                  <span>{e.kind === 'problem' && <span className={kit['hidden']}>Problem: </span>}{e.text}</span>
                </li>
              ))}
            </ul>
          )
        }
      </Content>
    </Panel>
  );
}

function BusinessPanels() {
  const business = useLoad<Business>('/business');
  // Orders change with their workflows: a look in three seconds is enough, and the last change gets one, too.
  const due = useRef(0);
  useEffect(() => () => clearTimeout(due.current), []);
  useLive(
    ['workflows'],
    () => {
      due.current ||= window.setTimeout(() => {
        due.current = 0;
        business.reload();
      }, 3000);
    },
    business.reload,
  );
  return (
    <>
      <Panel title="Orders" flush note={business.data && (business.data.missing?.length ? business.data.missing.join('; ') : `as of ${when(business.data.at)}`)}>
        <Content of={business}>
          {(b) => {
            const all = b.orders.reduce((n, o) => n + o.count, 0);
            return (
              <Table label="Orders by state" head={['State', { text: 'Orders', num: true }, '']}>
                {b.orders.map((o) => (
                  <tr key={o.state}>
                    <td><Badge tone={toneOf(o.state)}>{words(o.state)}</Badge></td>
                    <td className={kit['num']}>{count(o.count)}</td>
                    <td><span className={kit['meter']}><i style={{ width: `${all > 0 ? Math.max(0.5, (100 * o.count) / all) : 0}%` }} /></span></td>
                  </tr>
                ))}
                <tr>
                  <td>today</td>
                  <td className={kit['num']}>{count(b.today.orders)}</td>
                  <td>{money(b.today.minor, b.today.currency ?? b.revenue[0]?.currency ?? 'USD')}</td>
                </tr>
                {b.revenue.map((r) => (
                  <tr key={r.currency}>
                    <td>revenue</td>
                    <td />
                    <td>{money(r.minor, r.currency)}</td>
                  </tr>
                ))}
              </Table>
            );
          }}
        </Content>
      </Panel>
      <Panel title="Stock" flush note="least first">
        <Content of={business}>
          {(b) =>
            b.stock.length === 0 ? (
              <Empty>No products.</Empty>
            ) : (
              <div className={css['events']} tabIndex={0} role="group" aria-label="Stock of products">
                <Table label="Stock" head={['Product', { text: 'Available', num: true }, { text: 'Reserved', num: true }]}>
                  {b.stock.toSorted((x, y) => x.available - y.available).slice(0, 100).map((s) => (
                    <tr key={s.sku}>
                      <td>{s.name} <span className={cx(kit['mono'], css['muted'])}>{s.sku}</span></td>
                      <td className={kit['num']}>{s.available <= 0 ? <Badge tone="bad">sold out</Badge> : count(s.available)}</td>
                      <td className={kit['num']}>{count(s.reserved)}</td>
                    </tr>
                  ))}
                </Table>
              </div>
            )
          }
        </Content>
      </Panel>
    </>
  );
}
