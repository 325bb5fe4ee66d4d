import { useMemo, useState } from 'react';
import { change, segment } from '../../api/api';
import { isMissing, useChanges, useLoad, useNow, usePaged, useRested } from '../../api/hooks';
import type { StateKey, StateStore, StateValue } from '../../api/types';
import { ago, bytes, dateTime } from '../../lib/format';
import { isJson, pretty } from '../../lib/json';
import { useParameters } from '../../router';
import { Badge, Button, Content, cx, Dialog, Empty, ErrorBox, Facts, Field, Json, kit, Panel, Skeleton, useMay, useToast } from '../../ui/kit';
import { VirtualList } from '../../ui/VirtualList';
import { parsed } from '../instance/Actions';
import css from './dapr.module.css';

const keyOf = (k: StateKey): string => k.key;

export function StateBrowser() {
  const stores = useLoad<StateStore[]>('/dapr/state');
  useChanges(['sidecars'], stores);
  const [parameters, setParameters] = useParameters();
  const chosen = stores.data?.find((s) => s.app === parameters.get('app') && s.store === parameters.get('store')) ?? stores.data?.find((s) => s.browsable);
  return (
    <Content of={stores}>
      {(list) =>
        list.length === 0 ? (
          <Empty>No app has a state store.</Empty>
        ) : (
          <>
            <div className={kit['tools']} role="group" aria-label="Store and app">
              {list.map((s) => (
                <Button key={`${s.app} ${s.store}`} pressed={s === chosen} disabled={!s.browsable} title={s.why ?? s.type} onClick={() => setParameters({ app: s.app, store: s.store, key: null, prefix: null })}>
                  {s.app} · {s.store}
                </Button>
              ))}
            </div>
            {list.some((s) => !s.browsable) && <p className={kit['note']}>{list.filter((s) => !s.browsable).map((s) => `${s.store} of ${s.app}: ${s.why ?? 'cannot be listed'}`).join('; ')}</p>}
            {chosen ? <Store key={`${chosen.app} ${chosen.store}`} of={chosen} /> : <Empty>None of them can be listed.</Empty>}
          </>
        )
      }
    </Content>
  );
}

function Store({ of }: { of: StateStore }) {
  const path = `/dapr/state/${segment(of.app)}/${segment(of.store)}`;
  const [parameters, setParameters] = useParameters();
  const [prefix, setPrefix] = useState(parameters.get('prefix') ?? '');
  const rested = useRested(prefix);
  const list = usePaged<StateKey>(path, { prefix: rested, limit: 200 }, keyOf);
  useChanges(['state', 'sidecars'], list, of.store);
  const now = useNow();
  const key = parameters.get('key');
  // What has expired since is not there any more.
  const shown = useMemo(() => list.items.filter((k) => !k.expiresAt || Date.parse(k.expiresAt) > now), [list.items, now]);
  const open = (k: StateKey): void => setParameters({ app: of.app, store: of.store, key: k.key });
  return (
    <div className={kit['split']} data-detail="">
      <Panel title={`Keys of ${of.app} in ${of.store}`} flush note={of.type}>
        <div className={css['tools']}>
          <input className={kit['input']} type="search" aria-label="Prefix of the keys" placeholder="Prefix" value={prefix} onChange={(e) => setPrefix(e.target.value)} spellCheck={false} />
        </div>
        {list.error !== undefined && <ErrorBox error={list.error} retry={list.reload} />}
        {list.items.length === 0 ? (
          list.loading ? <Skeleton /> : list.error === undefined && <Empty>{rested ? 'No key begins so.' : 'The app keeps nothing here yet.'}</Empty>
        ) : (
          <VirtualList
            className={css['list']}
            label="Keys"
            items={shown}
            rowHeight={27}
            keyOf={keyOf}
            onEnd={list.more}
            onOpen={open}
            render={(k, _, isActive) => (
              <button type="button" tabIndex={-1} className={cx(css['keyRow'], (isActive || k.key === key) && css['active'])} onClick={() => open(k)}>
                <span className={kit['mono']}>{k.key}</span>
                <span>{bytes(k.bytes)}</span>
                <span>{k.expiresAt ? `ends ${ago(k.expiresAt, now)}` : ''}</span>
                <span>{k.etag}</span>
              </button>
            )}
          />
        )}
      </Panel>
      {key ? <Value key={key} path={`${path}/${segment(key)}`} onGone={() => { setParameters({ key: null }); list.reload(); }} store={of.store} /> : <Empty>Choose a key to see its value.</Empty>}
    </div>
  );
}

function Value({ path, store, onGone }: { path: string; store: string; onGone: () => void }) {
  const value = useLoad<StateValue>(path);
  useChanges(['state'], value, store);
  const toast = useToast();
  const may = useMay('admin');
  // What is changed is the version that was looked at when the change began, whatever comes in meanwhile.
  const [edited, setEdited] = useState<{ text: string; wasJson: boolean; etag: string | null | undefined } | null>(null);
  const [dropped, setDropped] = useState<{ etag: string | null | undefined } | null>(null);
  const json = edited === null ? {} : parsed(edited.text);
  const headers = (etag: string | null | undefined): Record<string, string> => (etag ? { 'if-match': etag } : {});
  if (isMissing(value.error)) return <Empty>This key is not there any more: it was deleted, or its time was over. <Button onClick={onGone}>Close</Button></Empty>;
  return (
    <Panel title={<span className={kit['mono']}>{value.data?.key ?? 'value'}</span>} note="live">
      <Content of={value}>
        {(v) => (
          <div className={kit['stacked']}>
            <Facts of={[['ETag', v.etag], ['ends', v.expiresAt ? dateTime(v.expiresAt) : 'never']]} />
            <Json value={v.value} label="Value" />
            <div className={kit['tools']}>
              <Button disabled={!may} onClick={() => setEdited({ text: pretty(v.value), wasJson: isJson(v.value), etag: v.etag })}>Edit</Button>
              <Button kind="danger" disabled={!may} onClick={() => setDropped({ etag: v.etag })}>Delete</Button>
              {!may && <Badge tone="idle">needs the role admin to change</Badge>}
            </div>
            <Dialog
              title={`Change ${v.key}?`}
              open={edited !== null}
              onClose={() => setEdited(null)}
              action="Write"
              disabled={edited?.wasJson && json.error !== undefined}
              onAction={async () => {
                const { text, wasJson, etag } = edited!;
                await change('PUT', path, new Blob([wasJson ? JSON.stringify(json.value) : text], { type: wasJson ? 'application/json' : 'text/plain' }), headers(etag));
                toast('ok', `${v.key} is written`);
                value.reload();
              }}
            >
              <p>The service that owns it does not know of the change. It is refused when somebody else changes the value in between.</p>
              <Field label="Value">
                <textarea className={kit['area']} rows={16} value={edited?.text ?? ''} onChange={(e) => setEdited((x) => x && { ...x, text: e.target.value })} spellCheck={false} />
              </Field>
              {edited?.wasJson && json.error && <p className={kit['note']}>No JSON: {json.error}</p>}
            </Dialog>
            <Dialog
              title={`Delete ${v.key}?`}
              open={dropped !== null}
              onClose={() => setDropped(null)}
              action="Delete"
              danger
              onAction={async () => {
                await change('DELETE', path, undefined, headers(dropped!.etag));
                toast('ok', `${v.key} is deleted`);
                onGone();
              }}
            >
              <p>It cannot be brought back.</p>
            </Dialog>
          </div>
        )}
      </Content>
    </Panel>
  );
}
