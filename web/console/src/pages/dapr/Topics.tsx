import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { segment } from '../../api/api';
import { useChanges, useLive, useLoad } from '../../api/hooks';
import type { DaprFigures, Page, Topic, TopicMessage } from '../../api/types';
import { clock, count, dateTime } from '../../lib/format';
import { brief, unwrap } from '../../lib/json';
import { useParameters } from '../../router';
import { Badge, Button, Content, Empty, Facts, Field, Json, kit, Link, Panel, Table } from '../../ui/kit';
import css from './dapr.module.css';

const lagOf = (t: Topic): number => t.groups.reduce((n, g) => n + g.lag, 0);
const keyOf = (t: Pick<Topic, 'pubsub' | 'server' | 'topic'>): string => `${t.server} ${t.pubsub.join()} ${t.topic}`;
const kinds: Record<string, string> = { log: 'log', stream: 'stream', memory: 'in memory' };

/** What the stream tells in between: figures of topics that are known. */
function merged(topics: readonly Topic[], figures: DaprFigures['topics']): Topic[] {
  const fresh = new Map(figures.map((f) => [keyOf(f), f]));
  return topics.map((t) => {
    const now = fresh.get(keyOf(t));
    if (!now) return t;
    const groups = new Map(now.groups.map((g) => [g.group, g]));
    return { ...t, messages: now.messages, groups: t.groups.map((g) => ({ ...g, ...groups.get(g.group) })) };
  });
}

export function Topics() {
  const topics = useLoad<Topic[]>('/dapr/topics');
  useChanges(['sidecars'], topics);
  const [parameters, setParameters] = useParameters();
  const wanted = parameters.get('topic');
  const chosen = topics.data?.find((t) => t.topic === wanted && (!parameters.has('server') || t.server === parameters.get('server')));
  useLive(
    ['dapr'],
    (_, data) => {
      const figures = (data as DaprFigures).topics;
      const known = topics.data;
      if (!known || topics.loading) return;
      const loaded = new Map(known.map((t) => [keyOf(t), t]));
      // Figures fit into the list; a topic or a group that is not in it, or a message in the one that is looked at, needs the list itself.
      const isOther = figures.length !== known.length || figures.some((f) => !loaded.has(keyOf(f)) || f.groups.length !== loaded.get(keyOf(f))!.groups.length || (chosen && keyOf(f) === keyOf(chosen) && f.messages !== chosen.messages));
      if (isOther) topics.reload();
      else topics.set((list) => list && merged(list, figures));
    },
    topics.reload,
  );
  return (
    <div className={css['layout']}>
      <Panel title="Topics" flush note="live">
        <Content of={topics} rows={8}>
          {(list) =>
            list.length === 0 ? (
              <Empty>Nothing was published yet, and nobody has subscribed in memory.</Empty>
            ) : (
              <Table label="Topics" head={['Topic', 'Pub/sub', 'Kind', { text: 'Messages', num: true }, { text: 'Partitions', num: true }, 'Groups and what waits for them', { text: 'Waiting', num: true }, 'Dead letters']}>
                {list.map((t) => (
                  <tr key={keyOf(t)} className={t === chosen ? css['chosen'] : undefined}>
                    <td><button type="button" className={css['rowButton']} onClick={() => setParameters({ topic: t.topic, server: t.server || null, partition: null, from: null })} aria-pressed={t === chosen}>{t.topic}</button></td>
                    <td>{t.pubsub.join(', ')} <span className={kit['note']}>{t.server}</span></td>
                    <td>{kinds[t.kind] ?? t.kind}</td>
                    <td className={kit['num']}>{t.kind === 'memory' ? '–' : count(t.messages)}</td>
                    <td className={kit['num']}>{t.partitions.length || '–'}</td>
                    <td>
                      {t.groups.length === 0 ? <span className={kit['note']}>nobody consumes it</span> : (
                        <ul className={css['chips']} aria-label={`Groups of ${t.topic}`}>
                          {t.groups.map((g) => (
                            <li key={g.group}>{g.group} {g.lag > 0 && <Badge tone="warn">{count(g.lag)}</Badge>}{!!g.pending && <span className={kit['note']}> {count(g.pending)} under way</span>}</li>
                          ))}
                        </ul>
                      )}
                    </td>
                    <td className={kit['num']}>{lagOf(t) > 0 ? <Badge tone="warn">{count(lagOf(t))}</Badge> : '0'}</td>
                    <td>{t.deadLetters.length === 0 ? <span className={kit['note']}>no topic for them</span> : t.deadLetters.map((d) => <div key={d.topic}><Link to={`/dapr/topics?topic=${encodeURIComponent(d.topic)}`}>{d.topic}</Link> <span className={kit['note']}>{count(d.messages)}</span></div>)}</td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Content>
      </Panel>
      {chosen && <TopicView key={keyOf(chosen)} topic={chosen} />}
      {wanted && topics.data && !chosen && <Empty>There is no topic {wanted} yet: nothing was published to it.</Empty>}
    </div>
  );
}

const pageSize = 50;

function TopicView({ topic }: { topic: Topic }) {
  const [parameters, setParameters] = useParameters();
  const partition = topic.partitions.find((p) => String(p.partition) === parameters.get('partition')) ?? (topic.partitions.length === 1 ? topic.partitions[0] : undefined);
  const newest = Math.max(0, (partition?.next ?? 0) - pageSize);
  // Without a place the newest, which follow what comes.
  const from = partition && parameters.has('from') ? Number(parameters.get('from')) : null;
  const at = from ?? Math.max(partition?.first ?? 0, newest);
  const messages = useLoad<Page<TopicMessage>>(topic.kind === 'memory' ? null : `/dapr/topics/${segment(topic.server)}/${segment(topic.topic)}/messages`, { partition: partition?.partition, from, limit: pageSize });
  const total = topic.messages;
  const reload = useEffectEvent(() => messages.reload());
  const isFirst = useRef(true);
  useEffect(() => {
    if (isFirst.current) isFirst.current = false;
    else if (from === null) reload();
  }, [total, from]);
  const [open, setOpen] = useState<TopicMessage | null>(null);
  const go = (to: number): void => {
    setOpen(null);
    setParameters({ from: to >= newest && to >= (partition?.first ?? 0) ? null : String(Math.max(partition?.first ?? 0, to)) });
  };
  const traceOf = (m: TopicMessage): string | undefined => {
    const parent = (unwrap(m.value) as { traceparent?: unknown } | null)?.traceparent ?? m.headers?.['traceparent'];
    return typeof parent === 'string' ? /^00-([0-9a-f]{32})-/.exec(parent)?.[1] : undefined;
  };
  const keptIn = topic.partitions.length;
  return (
    <div className={kit['split']} data-detail="">
      <Panel title={`Messages of ${topic.topic}`} flush note={from === null && topic.kind !== 'memory' ? 'live' : undefined} tools={<Button kind="quiet" onClick={() => setParameters({ topic: null, server: null, partition: null, from: null })}>Close</Button>}>
        {keptIn > 0 && (
          <div className={css['tools']}>
            <Field label="Partition">
              <select className={kit['select']} value={partition?.partition ?? ''} onChange={(e) => { setOpen(null); setParameters({ partition: e.target.value, from: null }); }}>
                {keptIn > 1 && <option value="">all, the newest</option>}
                {topic.partitions.map((p) => (
                  <option key={p.partition} value={p.partition}>{p.partition}: {p.next > p.first ? `${p.first} to ${p.next - 1}` : 'empty'}</option>
                ))}
              </select>
            </Field>
            <Button disabled={!partition || at <= partition.first} onClick={() => go(at - pageSize)}>Older</Button>
            <Button disabled={!partition || from === null} onClick={() => go(at + pageSize)}>Newer</Button>
          </div>
        )}
        {topic.kind === 'memory' ? <Empty>Nothing is kept: a message goes to who is subscribed at that moment.</Empty> : (
        <Content of={messages} rows={10}>
          {(page) =>
            page.items.length === 0 ? (
              <Empty>Nothing is kept here.</Empty>
            ) : (
              <Table label="Messages" head={[...(keptIn > 1 ? [{ text: 'Partition', num: true }] : []), { text: 'Offset', num: true }, 'At', 'Key', 'Value']}>
                {page.items.toReversed().map((m) => (
                  <tr key={`${m.partition} ${m.offset}`} className={m.offset === open?.offset && m.partition === open.partition ? css['chosen'] : undefined}>
                    {keptIn > 1 && <td className={kit['num']}>{m.partition}</td>}
                    <td className={kit['num']}><button type="button" className={css['rowButton']} onClick={() => setOpen(m)} aria-label={`Message at offset ${m.offset}${keptIn > 1 ? ` of partition ${m.partition}` : ''}`}>{m.offset}</button></td>
                    <td><time dateTime={m.at} title={dateTime(m.at)}>{clock(m.at)}</time></td>
                    <td className={kit['mono']}>{m.key}</td>
                    <td className={kit['mono']}>{brief((unwrap(m.value) as { data?: unknown } | null)?.data ?? m.value, 110)}</td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Content>
        )}
      </Panel>
      <div className={kit['stacked']}>
        {open && (
          <Panel title={keptIn > 1 ? `Partition ${open.partition}, offset ${open.offset}` : `Offset ${open.offset}`} tools={<Button kind="quiet" onClick={() => setOpen(null)}>Close</Button>}>
            <div className={kit['stacked']}>
              <Facts of={[['at', dateTime(open.at)], ['key', open.key], !!traceOf(open) && ['trace', <Link key="t" to={`/traces/${traceOf(open)}`} className={kit['mono']}>{traceOf(open)}</Link>]]} />
              <Json value={open.value} label="Value of the message" />
              {open.headers && Object.keys(open.headers).length > 0 && <Json value={open.headers} label="Headers of the message" />}
            </div>
          </Panel>
        )}
        <Panel title="Groups" flush>
          {topic.groups.length === 0 ? (
            <Empty>Nobody consumes it.</Empty>
          ) : (
            <Table label="Consumer groups" head={['Group', { text: 'Waiting', num: true }, ...(topic.kind === 'stream' ? [{ text: 'Under way', num: true }] : []), ...(keptIn > 0 ? [topic.kind === 'stream' ? 'Next offset' : 'Offset by partition'] : [])]}>
              {topic.groups.map((g) => (
                <tr key={g.group}>
                  <td>{g.group}</td>
                  <td className={kit['num']}>{count(g.lag)}</td>
                  {topic.kind === 'stream' && <td className={kit['num']}>{count(g.pending ?? 0)}</td>}
                  {keptIn > 0 && <td className={kit['mono']}>{g.offsets.map((o) => (keptIn > 1 ? `${o.partition}: ${o.offset}` : o.offset)).join(', ')}</td>}
                </tr>
              ))}
            </Table>
          )}
        </Panel>
      </div>
    </div>
  );
}
