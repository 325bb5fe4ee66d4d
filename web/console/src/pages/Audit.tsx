import { useState } from 'react';
import { get } from '../api/api';
import { useLoad } from '../api/hooks';
import type { AuditEntry, Page } from '../api/types';
import { dateTime } from '../lib/format';
import { brief } from '../lib/json';
import { Badge, Button, Content, Empty, ErrorBox, kit, PageHead, Panel, Table } from '../ui/kit';

export function AuditPage() {
  const audit = useLoad<Page<AuditEntry>>('/audit', { limit: 100 });
  const [error, setError] = useState<unknown>();
  const more = (next: string): void => {
    setError(undefined);
    get<Page<AuditEntry>>('/audit', { limit: 100, before: next }).then((page) => audit.set((a) => ({ items: [...(a?.items ?? []), ...page.items], next: page.next ?? null })), setError);
  };
  return (
    <>
      <PageHead title="Audit">
        <Button onClick={audit.reload}>Look again</Button>
      </PageHead>
      <Panel title="What was changed, and by whom" flush note="newest first; each entry is written before its change is made">
        <Content of={audit} rows={12}>
          {(page) =>
            page.items.length === 0 ? (
              <Empty>Nothing was changed yet.</Empty>
            ) : (
              <>
                <Table label="Audit log" head={['At', 'Who', 'Role', 'Action', 'Target', 'Detail', 'Outcome']}>
                  {page.items.map((e, i) => (
                    <tr key={`${e.at} ${i}`}>
                      <td><time dateTime={e.at}>{dateTime(e.at)}</time></td>
                      <td>{e.who}</td>
                      <td>{e.role}</td>
                      <td>{e.action}</td>
                      <td className={kit['mono']}>{e.target}</td>
                      <td className={kit['mono']}>{brief(e.detail)}</td>
                      <td><Badge tone={e.outcome === 'done' ? 'ok' : e.outcome === 'begun' ? 'wait' : 'bad'}>{e.outcome}</Badge></td>
                    </tr>
                  ))}
                </Table>
                {error !== undefined && <ErrorBox error={error} />}
                {page.next && <Empty><Button onClick={() => more(page.next!)}>Older entries</Button></Empty>}
              </>
            )
          }
        </Content>
      </Panel>
    </>
  );
}
