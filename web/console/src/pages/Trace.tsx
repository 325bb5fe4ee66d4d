import { useEffect, useRef } from 'react';
import { isMissing, useLive, useLoad } from '../api/hooks';
import type { Trace, TraceSummary } from '../api/types';
import { count, dateTime, duration } from '../lib/format';
import { servicesOf, totalMs } from '../lib/waterfall';
import { Badge, Content, Copy, Empty, kit, Link, PageHead, Panel } from '../ui/kit';
import { Waterfall } from '../ui/Waterfall';
import css from './instance/instance.module.css';

const orderOf = (trace: Trace): string | undefined => {
  if (trace.orderId) return trace.orderId;
  for (const span of trace.spans) {
    for (const name of ['order.id', 'orderId', 'workflow.instance', 'workflow.instance_id', 'durabletask.task.instance_id']) {
      const value = span.attributes[name];
      if (typeof value === 'string' && value) return value;
    }
  }
  return undefined;
};

export function TracePage({ id }: { id: string }) {
  const trace = useLoad<Trace>(`/traces/${id}`);
  const due = useRef(0);
  useEffect(() => () => clearTimeout(due.current), []);
  useLive(
    ['traces'],
    (_, data) => {
      if ((data as TraceSummary).traceId !== id) return;
      clearTimeout(due.current);
      due.current = window.setTimeout(trace.reload, 400);
    },
    trace.reload,
  );
  const t = trace.data;
  const order = t && orderOf(t);
  const errors = t?.spans.filter((s) => s.status === 'error').length ?? 0;
  return (
    <>
      <PageHead
        title={
          <>
            Trace <span className={kit['mono']}>{id}</span> <Copy text={id} what="trace id" />
          </>
        }
      >
        {order && <Link button to={`/order/${encodeURIComponent(order)}`}>Order {order}</Link>}
        <Link button to={`/logs?trace=${id}`}>Its log lines</Link>
      </PageHead>
      {t && (
        <dl className={css['facts']}>
          <div><dt>began</dt><dd>{dateTime(t.at)}</dd></div>
          <div><dt>took</dt><dd>{duration(totalMs(t.spans))}</dd></div>
          <div><dt>spans</dt><dd>{count(t.spans.length)} of {count(servicesOf(t.spans).length)} services</dd></div>
          {!!t.dropped && <div><dt>not kept</dt><dd>{count(t.dropped)} spans more</dd></div>}
          {errors > 0 && <div><dt>errors</dt><dd><Badge tone="bad">{count(errors)}</Badge></dd></div>}
        </dl>
      )}
      <Panel title="Waterfall" flush>
        {isMissing(trace.error) ? <Empty>No such trace is kept: only the last ones are. <Link to={`/logs?trace=${id}`}>Its log lines</Link> may still be there.</Empty> : <Content of={trace} rows={14}>{(data) => <Waterfall trace={data} />}</Content>}
      </Panel>
    </>
  );
}
