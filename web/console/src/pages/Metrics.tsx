import { useState } from 'react';
import { useLive, useLoad } from '../api/hooks';
import type { Chart as Data, MetricsSample } from '../api/types';
import { extend } from '../lib/charts';
import { Button, Content, Empty, PageHead } from '../ui/kit';
import { Chart } from '../ui/Chart';
import css from './pages.module.css';

export function MetricsPage() {
  const [span, setSpan] = useState(60);
  const charts = useLoad<Data[]>('/metrics/charts', { minutes: span });
  useLive(['metrics'], (_, data) => charts.set((c) => c && extend(c, data as MetricsSample, span * 60_000)), charts.reload);
  return (
    <>
      <PageHead title="Metrics">
        {[60, 15, 5].map((m) => (
          <Button key={m} pressed={span === m} onClick={() => setSpan(m)}>{m === 60 ? 'last hour' : `${m} minutes`}</Button>
        ))}
      </PageHead>
      <Content of={charts} rows={16}>
        {(list) =>
          list.length === 0 ? (
            <Empty>Nothing was measured yet.</Empty>
          ) : (
            <div className={css['charts']}>
              {list.map((c) => (
                <Chart key={c.id} chart={c} />
              ))}
            </div>
          )
        }
      </Content>
    </>
  );
}
