import { useState } from 'react';
import { change, segment } from '../../api/api';
import { useChanges, useLoad } from '../../api/hooks';
import type { ConfigItem } from '../../api/types';
import { Button, Content, Dialog, Empty, Field, kit, Panel, Table, useMay, useToast } from '../../ui/kit';

/** Configuration items: what services follow live. */
export function Items() {
  const items = useLoad<ConfigItem[]>('/dapr/configuration');
  useChanges(['settings', 'sidecars'], items);
  const toast = useToast();
  const may = useMay('operator');
  const [open, setOpen] = useState<{ store: string; key: string; value: string; isNew: boolean } | null>(null);
  const store = items.data?.[0]?.store ?? 'configstore';
  return (
    <Panel title="Configuration items" flush tools={<Button disabled={!may} onClick={() => setOpen({ store, key: '', value: '', isNew: true })}>New item</Button>}>
      <Content of={items}>
        {(list) =>
          list.length === 0 ? (
            <Empty>No item is set: services use their defaults.</Empty>
          ) : (
            <Table label="Configuration items" head={['Key', 'Value', 'Store', 'Version', '']}>
              {list.map((i) => (
                <tr key={`${i.store} ${i.key}`}>
                  <td className={kit['mono']}>{i.key}</td>
                  <td className={kit['mono']}>{i.value === '' ? '""' : i.value}</td>
                  <td>{i.store}</td>
                  <td>{i.version ?? '–'}</td>
                  <td className={kit['num']}><Button disabled={!may} aria-label={`Edit ${i.key}`} onClick={() => setOpen({ ...i, isNew: false })}>Edit</Button></td>
                </tr>
              ))}
            </Table>
          )
        }
      </Content>
      <Dialog
        title={open?.isNew ? 'New item' : `Change ${open?.key ?? ''}`}
        open={open !== null}
        onClose={() => setOpen(null)}
        action="Set"
        disabled={!open?.key.trim()}
        onAction={async () => {
          await change('PUT', `/dapr/configuration/${segment(open!.store)}/${segment(open!.key.trim())}`, { value: open!.value });
          toast('ok', `${open!.key} is ${open!.value}`);
        }}
      >
        <p>Services that follow it get the new value at once.</p>
        {open?.isNew && (
          <>
            <Field label="Store">
              <input className={kit['input']} value={open.store} onChange={(e) => setOpen({ ...open, store: e.target.value })} spellCheck={false} />
            </Field>
            <Field label="Key">
              <input className={kit['input']} value={open.key} onChange={(e) => setOpen({ ...open, key: e.target.value })} spellCheck={false} />
            </Field>
          </>
        )}
        <Field label="Value">
          <input className={kit['input']} value={open?.value ?? ''} onChange={(e) => setOpen((o) => o && { ...o, value: e.target.value })} spellCheck={false} autoFocus />
        </Field>
      </Dialog>
    </Panel>
  );
}
