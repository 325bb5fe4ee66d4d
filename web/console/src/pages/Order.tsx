import { useEffect } from 'react';
import { useLoad } from '../api/hooks';
import type { Page, WorkflowSummary } from '../api/types';
import { navigate } from '../router';
import { Content, Empty, Link, PageHead } from '../ui/kit';

/** An id without its app: looked up, and opened where it is. */
export function OrderPage({ id }: { id: string }) {
  const found = useLoad<Page<WorkflowSummary>>('/workflows', { text: id, limit: 20 });
  const one = found.data?.items.find((i) => i.id === id) ?? (found.data?.items.length === 1 ? found.data.items[0] : undefined);
  useEffect(() => {
    if (one) navigate(`/workflows/${encodeURIComponent(one.app)}/${encodeURIComponent(one.id)}`, { replace: true });
  }, [one]);
  return (
    <>
      <PageHead title={id} />
      <Content of={found}>
        {(page) =>
          page.items.length === 0 ? (
            <Empty>
              No workflow instance holds this id: it was purged, or never was. <Link to={`/logs?text=${encodeURIComponent(id)}`}>Search the logs</Link> or <Link to={`/traces?text=${encodeURIComponent(id)}`}>the traces</Link> for it.
            </Empty>
          ) : (
            <ul>
              {page.items.map((i) => (
                <li key={`${i.app} ${i.id}`}>
                  <Link to={`/workflows/${encodeURIComponent(i.app)}/${encodeURIComponent(i.id)}`}>{i.id}</Link> {i.name} at {i.app}
                </li>
              ))}
            </ul>
          )
        }
      </Content>
    </>
  );
}
