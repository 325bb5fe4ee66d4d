import { Fragment, useState } from 'react';
import { useLive, useLoad, useNow } from '../../api/hooks';
import type { ActorType, CallRate, Component, Configuration, Job, LockHeld, Page, Reminder, Resiliency, Subscription } from '../../api/types';
import { ago, count, dateTime, number, words } from '../../lib/format';
import { brief } from '../../lib/json';
import { Badge, Button, Content, Empty, Facts, Json, kit, Link, Panel, Table, toneOf } from '../../ui/kit';
import { get } from '../../api/api';
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
  return (
    <Content of={configurations}>
      {(list) =>
        list.length === 0 ? (
          <Empty>No Configuration resource is loaded.</Empty>
        ) : (
          <div className={css['cards']}>
            {list.map((c) => (
              <Panel key={c.name} title={c.name}>
                <div className={css['detail']}>
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
  useLive(['dapr'], (_, data) => {
    const breakers = (data as { breakers?: Resiliency['breakers'] }).breakers;
    if (breakers) resiliency.set((r) => r && { ...r, breakers });
  }, resiliency.reload);
  const now = useNow();
  return (
    <>
      <Panel title="Circuit breakers" flush tools={<Button onClick={resiliency.reload}>Look again</Button>}>
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
  const actors = useLoad<ActorType[]>('/dapr/actors');
  return (
    <Panel title="Actors by type" flush tools={<Button onClick={actors.reload}>Look again</Button>}>
      <Content of={actors}>
        {(list) =>
          list.length === 0 ? (
            <Empty>No app hosts actors.</Empty>
          ) : (
            <Table label="Actor types" head={['Type', 'App', { text: 'Active', num: true }, 'Some of them']}>
              {list.map((a) => (
                <tr key={`${a.type} ${a.app}`}>
                  <td className={kit['mono']}>{a.type}</td>
                  <td>{a.app}</td>
                  <td className={kit['num']}>{count(a.active)}</td>
                  <td><Chips of={a.entities?.slice(0, 20) ?? []} label={`Active actors of ${a.type}`} /></td>
                </tr>
              ))}
            </Table>
          )
        }
      </Content>
    </Panel>
  );
}

export function Locks() {
  const locks = useLoad<LockHeld[]>('/dapr/locks');
  const now = useNow();
  return (
    <Panel title="Locks that are held" flush tools={<Button onClick={locks.reload}>Look again</Button>}>
      <Content of={locks}>
        {(list) =>
          list.length === 0 ? (
            <Empty>Nobody holds a lock.</Empty>
          ) : (
            <Table label="Locks" head={['Resource', 'Owner', 'Store', 'Ends']}>
              {list.map((l) => (
                <tr key={`${l.store} ${l.resource}`}>
                  <td className={kit['mono']}>{l.resource}</td>
                  <td className={kit['mono']}>{l.owner}</td>
                  <td>{l.store}</td>
                  <td>{l.expiresAt ? <time dateTime={l.expiresAt}>{ago(l.expiresAt, now)}</time> : '–'}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </Content>
    </Panel>
  );
}

export function Jobs() {
  const jobs = useLoad<Page<Job>>('/dapr/jobs', { limit: 1000 });
  const reminders = useLoad<Page<Reminder>>('/dapr/reminders', { limit: 200 });
  const [failed, setFailed] = useState<unknown>();
  const now = useNow();
  const due = (at?: string | null) => (at ? <time dateTime={at} title={dateTime(at)}>{ago(at, now)}</time> : '–');
  const more = (next: string): void => {
    get<Page<Reminder>>('/dapr/reminders', { limit: 200, after: next }).then((page) => reminders.set((r) => ({ items: [...(r?.items ?? []), ...page.items], next: page.next })), setFailed);
  };
  return (
    <div className={css['layout']}>
      <Panel title="Jobs" flush tools={<Button onClick={jobs.reload}>Look again</Button>}>
        <Content of={jobs}>
          {({ items: list }) =>
            list.length === 0 ? (
              <Empty>No job is scheduled.</Empty>
            ) : (
              <Table label="Jobs" head={['Job', 'App', 'Schedule', 'Due', { text: 'Repeats', num: true }, 'Data']}>
                {list.map((j) => (
                  <tr key={`${j.app} ${j.name}`}>
                    <td className={kit['mono']}>{j.name}</td>
                    <td>{j.app}</td>
                    <td className={kit['mono']}>{j.schedule ?? 'once'}</td>
                    <td>{due(j.dueAt)}</td>
                    <td className={kit['num']}>{j.repeats ?? '–'}</td>
                    <td className={kit['mono']}>{brief(j.data)}</td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Content>
      </Panel>
      <Panel title="Reminders" flush tools={<Button onClick={reminders.reload}>Look again</Button>}>
        <Content of={reminders}>
          {(page) => {
            const { items: list, next } = page;
            return list.length === 0 ? (
              <Empty>No actor has a reminder.</Empty>
            ) : (
              <>
                <Table label="Reminders" head={['Reminder', 'Actor', 'Due', 'Period']}>
                  {list.map((r) => (
                    <tr key={`${r.actorType} ${r.actorId} ${r.name}`}>
                      <td className={kit['mono']}>{r.name}</td>
                      <td className={kit['mono']}>{r.actorType}/{r.actorId}</td>
                      <td>{due(r.dueAt)}</td>
                      <td className={kit['mono']}>{r.period ?? 'once'}</td>
                    </tr>
                  ))}
                </Table>
                {failed !== undefined && <Empty>{String(failed)}</Empty>}
                {next && <Empty><Button onClick={() => more(next)}>More</Button></Empty>}
              </>
            );
          }}
        </Content>
      </Panel>
    </div>
  );
}

export function Calls() {
  const calls = useLoad<CallRate[]>('/dapr/calls');
  useLive(['dapr'], (_, data) => {
    const fresh = (data as { calls?: CallRate[] }).calls;
    if (fresh) calls.set(() => fresh);
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
                      <td><span className={css['meter']} aria-hidden="true"><i style={{ width: `${(100 * c.perSecond) / most}%` }} /></span></td>
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
