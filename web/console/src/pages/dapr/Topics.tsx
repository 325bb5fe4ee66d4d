import { useState } from 'react';
import { segment } from '../../api/api';
import { useLive, useLoad } from '../../api/hooks';
import type { Page, Topic, TopicMessage } from '../../api/types';
import { clock, count, dateTime } from '../../lib/format';
import { brief, unwrap } from '../../lib/json';
import { useParameters } from '../../router';
import { Badge, Button, Content, cx, Empty, Facts, Field, Json, kit, Link, Panel, Table } from '../../ui/kit';
import css from './dapr.module.css';

const lagOf = (t: Topic): number => t.groups.reduce((n, g) => n + g.lag, 0);

export function Topics() {
  const topics = useLoad<Topic[]>('/dapr/topics');
  const [live, setLive] = useState<Map<string, number>>(new Map());
  const [parameters, setParameters] = useParameters();
  useLive(['dapr'], (_, data) => {
    const fresh = (data as { topics?: { topic: string; lag: number }[] }).topics;
    if (fresh) setLive(new Map(fresh.map((t) => [t.topic, t.lag])));
  }, topics.reload);
  const chosen = topics.data?.find((t) => t.topic === parameters.get('topic'));
  return (
    <div className={css['layout']}>
      <Panel title="Topics" flush tools={<Button onClick={topics.reload}>Look again</Button>}>
        <Content of={topics} rows={8}>
          {(list) =>
            list.length === 0 ? (
              <Empty>Nothing was published yet.</Empty>
            ) : (
              <Table label="Topics" head={['Topic', 'Pub/sub', { text: 'Messages', num: true }, { text: 'Partitions', num: true }, 'Groups and their lag', { text: 'Lag', num: true }]}>
                {list.map((t) => {
                  const lag = live.get(t.topic) ?? lagOf(t);
                  return (
                    <tr key={`${t.server} ${t.topic}`} className={t === chosen ? css['chosen'] : undefined}>
                      <td><button type="button" className={css['rowButton']} onClick={() => setParameters({ topic: t.topic, partition: null, from: null })} aria-pressed={t === chosen}>{t.topic}</button></td>
                      <td>{t.pubsub.join(', ')} <span className={kit['note']}>{t.server}</span></td>
                      <td className={kit['num']}>{count(t.messages)}</td>
                      <td className={kit['num']}>{t.partitions.length}</td>
                      <td>
                        {t.groups.length === 0 ? <span className={kit['note']}>nobody consumes it</span> : (
                          <ul className={css['chips']} aria-label={`Groups of ${t.topic}`}>
                            {t.groups.map((g) => (
                              <li key={g.group}>{g.group} {g.lag > 0 && <Badge tone="warn">{count(g.lag)}</Badge>}</li>
                            ))}
                          </ul>
                        )}
                      </td>
                      <td className={kit['num']}>{lag > 0 ? <Badge tone="warn">{count(lag)}</Badge> : '0'}</td>
                    </tr>
                  );
                })}
              </Table>
            )
          }
        </Content>
      </Panel>
      {chosen && <TopicView key={chosen.topic} topic={chosen} />}
    </div>
  );
}

const pageSize = 50;

function TopicView({ topic }: { topic: Topic }) {
  const [parameters, setParameters] = useParameters();
  const fullest = topic.partitions.reduce((a, b) => (b.next - b.first > a.next - a.first ? b : a), topic.partitions[0] ?? { partition: 0, first: 0, next: 0 });
  const partition = topic.partitions.find((p) => String(p.partition) === parameters.get('partition')) ?? fullest;
  const from = parameters.has('from') ? Number(parameters.get('from')) : Math.max(partition.first, partition.next - pageSize);
  const messages = useLoad<Page<TopicMessage>>(`/dapr/topics/${segment(topic.server)}/${segment(topic.topic)}/messages`, { partition: partition.partition, from, limit: pageSize });
  const [open, setOpen] = useState<TopicMessage | null>(null);
  const go = (to: number): void => {
    setOpen(null);
    setParameters({ from: String(Math.max(partition.first, to)) });
  };
  const traceOf = (m: TopicMessage): string | undefined => {
    const parent = (unwrap(m.value) as { traceparent?: unknown } | null)?.traceparent ?? m.headers?.['traceparent'];
    return typeof parent === 'string' ? /^00-([0-9a-f]{32})-/.exec(parent)?.[1] : undefined;
  };
  return (
    <div className={css['two']}>
      <Panel title={`Messages of ${topic.topic}`} flush tools={<Button kind="quiet" onClick={() => setParameters({ topic: null, partition: null, from: null })}>Close</Button>}>
        <div className={css['tools']}>
          <Field label="Partition">
            <select className={kit['select']} value={partition.partition} onChange={(e) => setParameters({ partition: e.target.value, from: null })}>
              {topic.partitions.map((p) => (
                <option key={p.partition} value={p.partition}>{p.partition}: {p.first} to {p.next - 1}</option>
              ))}
            </select>
          </Field>
          <Button disabled={from <= partition.first} onClick={() => go(from - pageSize)}>Older</Button>
          <Button disabled={from + pageSize >= partition.next} onClick={() => go(from + pageSize)}>Newer</Button>
          <Button onClick={messages.reload}>Look again</Button>
        </div>
        <Content of={messages} rows={10}>
          {(page) =>
            page.items.length === 0 ? (
              <Empty>Nothing in this partition.</Empty>
            ) : (
              <Table label="Messages" head={[{ text: 'Offset', num: true }, 'At', 'Key', 'Value']}>
                {page.items.toReversed().map((m) => (
                  <tr key={m.offset} className={m.offset === open?.offset ? css['chosen'] : undefined}>
                    <td className={kit['num']}><button type="button" className={css['rowButton']} onClick={() => setOpen(m)} aria-label={`Message at offset ${m.offset}`}>{m.offset}</button></td>
                    <td><time dateTime={m.at} title={dateTime(m.at)}>{clock(m.at)}</time></td>
                    <td className={kit['mono']}>{m.key}</td>
                    <td className={kit['mono']}>{brief((unwrap(m.value) as { data?: unknown } | null)?.data ?? m.value, 110)}</td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Content>
      </Panel>
      <div className={css['detail']}>
        {open && (
          <Panel title={`Offset ${open.offset}`} tools={<Button kind="quiet" onClick={() => setOpen(null)}>Close</Button>}>
            <div className={cx(css['detail'])}>
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
            <Table label="Consumer groups" head={['Group', { text: 'Lag', num: true }, 'Offset by partition']}>
              {topic.groups.map((g) => (
                <tr key={g.group}>
                  <td>{g.group}</td>
                  <td className={kit['num']}>{count(g.lag)}</td>
                  <td className={kit['mono']}>{g.offsets.map((o) => `${o.partition}: ${o.offset}`).join(', ')}</td>
                </tr>
              ))}
            </Table>
          )}
        </Panel>
      </div>
    </div>
  );
}
