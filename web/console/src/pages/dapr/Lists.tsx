import { Fragment, type ReactNode } from 'react';
import { useAt, useChanges, useLive, useLoad, useNow, usePaged, type Paged } from '../../api/hooks';
import type { ActorType, CallRate, Component, Configuration, DaprFigures, Job, LockHeld, Reminder, Resiliency, Subscription } from '../../api/types';
import { ago, count, dateTime, number, words } from '../../lib/format';
import { brief } from '../../lib/json';
import { useParameters } from '../../router';
import { Badge, Button, Content, Empty, ErrorBox, Facts, Json, kit, Link, Panel, Skeleton, Table, toneOf } from '../../ui/kit';
import css from './dapr.module.css';

export const Chips = ({ of, label }: { of: readonly string[]; label: string }) =>
  of.length === 0 ? (
    <span className={kit['note']}>none</span>
  ) : (
    <ul className={css['chips']} aria-label={label}>
      {of.map((o) => (
        <li key={o}>{o}</li>
      ))}
    </ul>
  );

export function Components() {
  const components = useLoad<Component[]>('/dapr/components');
  useChanges(['sidecars'], components);
  return (
    <Content of={components} rows={10}>
      {(list) =>
        list.length === 0 ? (
          <Empty>No components are loaded.</Empty>
        ) : (
          <div className={css['cards']}>
            {list.map((c) => (
              <Panel key={`${c.name} ${c.type} ${c.apps.join()}`} title={c.name} note={c.version}>
                <Facts
                  of={[
                    ['type', <span key="t" className={kit['mono']}>{c.type}</span>],
                    ['served by', c.standsFor ? <span key="s" className={css['stands']}>{c.standsFor}</span> : 'what its type says'],
                    ['apps', <Chips key="a" of={c.apps} label={`Apps of ${c.name}`} />],
                    c.capabilities.length > 0 && ['can', <Chips key="c" of={c.capabilities.map(words)} label={`Capabilities of ${c.name}`} />],
                    ...Object.entries(c.metadata).map(([name, value]) => [name, <span key={name} className={kit['mono']}>{String(value) || '""'}</span>] as const),
                  ]}
                />
              </Panel>
            ))}
          </div>
        )
      }
    </Content>
  );
}

export function Configurations() {
  const configurations = useLoad<Configuration[]>('/dapr/configurations');
  useChanges(['sidecars'], configurations);
  return (
    <Content of={configurations}>
      {(list) =>
        list.length === 0 ? (
          <Empty>No Configuration resource is loaded.</Empty>
        ) : (
          <div className={css['cards']}>
            {list.map((c) => (
              <Panel key={c.name} title={c.name}>
                <div className={kit['stacked']}>
                  <Chips of={c.apps} label={`Apps of ${c.name}`} />
                  <Json value={c.spec} label={`Spec of ${c.name}`} />
                </div>
              </Panel>
            ))}
          </div>
        )
      }
    </Content>
  );
}

export function Subscriptions() {
  const subscriptions = useLoad<Subscription[]>('/dapr/subscriptions');
  useChanges(['sidecars'], subscriptions);
  return (
    <Panel title="Subscriptions and routes" flush note={subscriptions.data && `${count(subscriptions.data.length)}`}>
      <Content of={subscriptions} rows={10}>
        {(list) =>
          list.length === 0 ? (
            <Empty>Nobody subscribes to anything. Apps that do not run have told nothing.</Empty>
          ) : (
            <Table label="Subscriptions" head={['Topic', 'App', 'Routes', 'Dead letters', 'Kind']}>
              {list.map((s) => (
                <tr key={`${s.app} ${s.pubsub} ${s.topic} ${s.kind}`}>
                  <td><Link to={`/dapr/topics?topic=${encodeURIComponent(s.topic)}`}>{s.topic}</Link> <span className={kit['note']}>{s.pubsub}</span></td>
                  <td>{s.app}</td>
                  <td>
                    {s.routes.map((r, i) => (
                      <div key={i} className={kit['mono']}>
                        {r.match ? <>{r.match} → </> : s.routes.length > 1 && 'otherwise → '}
                        {r.path}
                      </div>
                    ))}
                  </td>
                  <td className={kit['mono']}>{s.deadLetterTopic ?? '–'}</td>
                  <td>{s.kind}{s.bulk && ', bulk'}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </Content>
    </Panel>
  );
}

export function ResiliencyView() {
  const resiliency = useLoad<Resiliency>('/dapr/resiliency');
  useChanges(['breakers', 'sidecars'], resiliency);
  // An open breaker becomes half open by time alone.
  useAt(resiliency.data?.breakers.map((b) => b.openUntil ?? '').filter(Boolean).toSorted()[0], resiliency.reload);
  const now = useNow();
  return (
    <>
      <Panel title="Circuit breakers" flush note="live">
        <Content of={resiliency}>
          {(r) =>
            r.breakers.length === 0 ? (
              <Empty>No breaker has seen a call yet.</Empty>
            ) : (
              <Table label="Circuit breakers" head={['Caller', 'Target', 'Policy', 'State', { text: 'Failures in a row', num: true }, 'Open until']}>
                {r.breakers.map((b) => (
                  <tr key={`${b.app} ${b.target} ${b.key} ${b.policy}`}>
                    <td>{b.app}</td>
                    <td>{b.target}{b.key && <span className={kit['mono']}> {b.key}</span>}</td>
                    <td>{b.policy}</td>
                    <td><Badge tone={b.state === 'open' ? 'bad' : toneOf(b.state)}>{words(b.state)}</Badge></td>
                    <td className={kit['num']}>{count(b.consecutiveFailures)}</td>
                    <td>{b.openUntil ? <time dateTime={b.openUntil} title={dateTime(b.openUntil)}>{ago(b.openUntil, now)}</time> : '–'}</td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Content>
      </Panel>
      <div className={css['cards']}>
        <Panel title="Policies">
          <Content of={resiliency}>{(r) => <Json value={r.policies} label="Policies" />}</Content>
        </Panel>
        <Panel title="Targets">
          <Content of={resiliency}>{(r) => <Json value={r.targets} label="Targets" />}</Content>
        </Panel>
      </div>
    </>
  );
}

export function Actors() {
  const [parameters, setParameters] = useParameters();
  const type = parameters.get('type');
  const actors = useLoad<ActorType[]>('/dapr/actors', { entities: type });
  useChanges(['actors', 'sidecars'], actors);
  const chosen = actors.data?.filter((a) => a.type === type) ?? [];
  const ids = chosen.flatMap((a) => a.entities ?? []);
  const active = chosen.reduce((n, a) => n + a.active, 0);
  return (
    <div className={css['layout']}>
      <Panel title="Actors by type" flush note="live">
        <Content of={actors}>
          {(list) =>
            list.length === 0 ? (
              <Empty>No app hosts actors.</Empty>
            ) : (
              <Table label="Actor types" head={['Type', 'App', { text: 'Active', num: true }]}>
                {list.map((a) => (
                  <tr key={`${a.type} ${a.app}`} className={a.type === type ? css['chosen'] : undefined}>
                    <td className={kit['mono']}><button type="button" className={css['rowButton']} onClick={() => setParameters({ type: a.type === type ? null : a.type })} aria-pressed={a.type === type}>{a.type}</button></td>
                    <td>{a.app}</td>
                    <td className={kit['num']}>{count(a.active)}</td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Content>
      </Panel>
      {type && actors.data && (
        <Panel title={`Active: ${type}`} note={ids.length < active && ids.length > 0 ? `the first ${count(ids.length)} of ${count(active)}` : undefined} tools={<Button kind="quiet" onClick={() => setParameters({ type: null })}>Close</Button>}>
          {ids.length === 0 ? <Empty>{active > 0 ? 'The runtime keeps these to itself.' : 'None is active: an actor becomes so with its first call.'}</Empty> : <Chips of={ids} label={`Active actors of ${type}`} />}
        </Panel>
      )}
    </div>
  );
}

export function Locks() {
  const locks = useLoad<LockHeld[]>('/dapr/locks');
  useChanges(['locks', 'sidecars'], locks);
  const now = useNow();
  return (
    <Panel title="Locks that are held" flush note="live">
      <Content of={locks}>
        {(all) => {
          // One whose time is over is free, told or not.
          const list = all.filter((l) => !l.expiresAt || Date.parse(l.expiresAt) > now);
          return list.length === 0 ? (
            <Empty>Nobody holds a lock.</Empty>
          ) : (
            <Table label="Locks" head={['Resource', 'Owner', 'Store', 'Ends']}>
              {list.map((l) => (
                <tr key={`${l.store} ${l.resource}`}>
                  <td className={kit['mono']}>{l.resource}</td>
                  <td className={kit['mono']}>{l.owner}</td>
                  <td>{l.store}</td>
                  <td>{l.expiresAt ? <time dateTime={l.expiresAt} title={dateTime(l.expiresAt)}>{ago(l.expiresAt, now)}</time> : '–'}</td>
                </tr>
              ))}
            </Table>
          );
        }}
      </Content>
    </Panel>
  );
}

/** A table that is loaded page by page. */
function PagedTable<T>({ of, empty, head, label, row }: { of: Paged<T>; empty: string; head: Parameters<typeof Table>[0]['head']; label: string; row: (item: T) => ReactNode }) {
  if (of.items.length === 0) return of.error !== undefined ? <ErrorBox error={of.error} retry={of.reload} /> : of.loading ? <Skeleton /> : <Empty>{empty}</Empty>;
  return (
    <>
      {of.error !== undefined && <ErrorBox error={of.error} retry={of.reload} />}
      <Table label={label} head={head}>{of.items.map(row)}</Table>
      {of.hasMore && <Empty><Button onClick={of.more}>More</Button></Empty>}
    </>
  );
}

const jobKey = (j: Job): string => `${j.app} ${j.name}`;
const reminderKey = (r: Reminder): string => `${r.actorType} ${r.actorId} ${r.name}`;

export function Jobs() {
  const jobs = usePaged<Job>('/dapr/jobs', { limit: 200 }, jobKey);
  const reminders = usePaged<Reminder>('/dapr/reminders', { limit: 200 }, reminderKey);
  useChanges(['jobs', 'sidecars'], jobs);
  useChanges(['reminders', 'sidecars'], reminders);
  const now = useNow();
  const due = (at: string) => <time dateTime={at} title={dateTime(at)}>{ago(at, now)}</time>;
  return (
    <div className={css['layout']}>
      <Panel title="Jobs" flush note="live">
        <PagedTable
          of={jobs}
          empty="No job is scheduled."
          label="Jobs"
          head={['Job', 'App', 'Schedule', 'Due', { text: 'Fired', num: true }, { text: 'Repeats', num: true }, 'Data']}
          row={(j) => (
            <tr key={jobKey(j)}>
              <td className={kit['mono']}>{j.name}</td>
              <td>{j.app}</td>
              <td className={kit['mono']}>{j.schedule ?? 'once'}</td>
              <td>{due(j.dueAt)}</td>
              <td className={kit['num']}>{count(j.fired)}</td>
              <td className={kit['num']}>{j.repeats ?? '–'}</td>
              <td className={kit['mono']}>{brief(j.data)}</td>
            </tr>
          )}
        />
      </Panel>
      <Panel title="Reminders" flush note="live">
        <PagedTable
          of={reminders}
          empty="No actor has a reminder."
          label="Reminders"
          head={['Reminder', 'Actor', 'Due', 'Period']}
          row={(r) => (
            <tr key={reminderKey(r)}>
              <td className={kit['mono']}>{r.name}</td>
              <td className={kit['mono']}>{r.actorType}/{r.actorId}</td>
              <td>{due(r.dueAt)}</td>
              <td className={kit['mono']}>{r.period ?? 'once'}</td>
            </tr>
          )}
        />
      </Panel>
    </div>
  );
}

export function Calls() {
  const calls = useLoad<CallRate[]>('/dapr/calls');
  useLive(['dapr'], (_, data) => {
    calls.set(() => (data as DaprFigures).calls);
  }, calls.reload);
  return (
    <Panel title="API calls a second, by building block" flush note="live">
      <Content of={calls} rows={10}>
        {(list) => {
          const blocks = [...Map.groupBy(list, (c) => c.block)].toSorted((a, b) => (a[0] < b[0] ? -1 : 1));
          const most = Math.max(1, ...list.map((c) => c.perSecond));
          return list.length === 0 ? (
            <Empty>No app has called its sidecar yet.</Empty>
          ) : (
            <Table label="Calls a second" head={['Building block', 'App', { text: 'Calls/s', num: true }, '', { text: 'Errors/s', num: true }]}>
              {blocks.map(([block, of]) => (
                <Fragment key={block}>
                  {of.toSorted((a, b) => b.perSecond - a.perSecond).map((c, i) => (
                    <tr key={c.app}>
                      <td>{i === 0 && <strong>{words(block)}</strong>}</td>
                      <td>{c.app}</td>
                      <td className={kit['num']}>{number(c.perSecond)}</td>
                      <td><span className={kit['meter']} aria-hidden="true"><i style={{ width: `${(100 * c.perSecond) / most}%` }} /></span></td>
                      <td className={kit['num']}>{c.errorsPerSecond > 0 ? <Badge tone="bad">{number(c.errorsPerSecond)}</Badge> : '–'}</td>
                    </tr>
                  ))}
                </Fragment>
              ))}
            </Table>
          );
        }}
      </Content>
    </Panel>
  );
}
