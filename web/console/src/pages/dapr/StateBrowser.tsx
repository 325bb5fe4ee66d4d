import { useCallback, useEffect, useRef, useState } from 'react';
import { change, get, messageOf, segment } from '../../api/api';
import { useLoad, useNow, useRested } from '../../api/hooks';
import type { Page, StateKey, StateStore, StateValue } from '../../api/types';
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
  const [list, setList] = useState<{ items: StateKey[]; next: string | null }>({ items: [], next: null });
  const [state, setState] = useState<{ loading: boolean; error: unknown }>({ loading: true, error: undefined });
  const [round, setRound] = useState(0);
  const busy = useRef(false);
  const now = useNow();
  const key = parameters.get('key');
  useEffect(() => {
    const abort = new AbortController();
    setState({ loading: true, error: undefined });
    get<Page<StateKey>>(path, { prefix: rested, limit: 200 }, abort.signal).then(
      (page) => {
        setList({ items: page.items, next: page.next ?? null });
        setState({ loading: false, error: undefined });
      },
      (error: unknown) => !abort.signal.aborted && setState({ loading: false, error }),
    );
    return () => abort.abort();
  }, [path, rested, round]);
  const { next } = list;
  const more = useCallback(() => {
    if (next === null || busy.current) return;
    busy.current = true;
    get<Page<StateKey>>(path, { prefix: rested, after: next, limit: 200 })
      .then((page) => setList((l) => (l.next === next ? { items: [...l.items, ...page.items], next: page.next ?? null } : l)), (error: unknown) => setState({ loading: false, error }))
      .finally(() => {
        busy.current = false;
      });
  }, [path, rested, next]);
  const open = (k: StateKey): void => setParameters({ app: of.app, store: of.store, key: k.key });
  return (
    <div className={css['two']}>
      <Panel title={`Keys of ${of.app} in ${of.store}`} flush note={of.type}>
        <div className={css['tools']}>
          <input className={kit['input']} type="search" aria-label="Prefix of the keys" placeholder="Prefix" value={prefix} onChange={(e) => setPrefix(e.target.value)} spellCheck={false} />
          <Button onClick={() => setRound((r) => r + 1)}>Look again</Button>
        </div>
        {state.error !== undefined && <ErrorBox error={new Error(messageOf(state.error))} retry={() => setRound((r) => r + 1)} />}
        {list.items.length === 0 ? (
          state.loading ? <Skeleton /> : state.error === undefined && <Empty>No key begins so.</Empty>
        ) : (
          <VirtualList
            className={css['list']}
            label="Keys"
            items={list.items}
            rowHeight={27}
            keyOf={keyOf}
            onEnd={more}
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
      {key ? <Value key={key} path={`${path}/${segment(key)}`} onGone={() => { setParameters({ key: null }); setRound((r) => r + 1); }} /> : <Empty>Choose a key to see its value.</Empty>}
    </div>
  );
}

function Value({ path, onGone }: { path: string; onGone: () => void }) {
  const value = useLoad<StateValue>(path);
  const toast = useToast();
  const may = useMay('admin');
  const [text, setText] = useState<string | null>(null);
  const [isDropping, setDropping] = useState(false);
  const wasJson = isJson(value.data?.value);
  const json = text === null ? {} : parsed(text);
  const etag = value.data?.etag;
  const headers: Record<string, string> = etag ? { 'if-match': etag } : {};
  return (
    <Panel title={<span className={kit['mono']}>{value.data?.key ?? 'value'}</span>}>
      <Content of={value}>
        {(v) => (
          <div className={css['detail']}>
            <Facts of={[['ETag', v.etag], ['ends', v.expiresAt ? dateTime(v.expiresAt) : 'never']]} />
            <Json value={v.value} label="Value" />
            <div className={kit['tools']}>
              <Button disabled={!may} onClick={() => setText(pretty(v.value))}>Edit</Button>
              <Button kind="danger" disabled={!may} onClick={() => setDropping(true)}>Delete</Button>
              <Button onClick={value.reload}>Look again</Button>
              {!may && <Badge tone="idle">needs the role admin to change</Badge>}
            </div>
            <Dialog
              title={`Change ${v.key}?`}
              open={text !== null}
              onClose={() => setText(null)}
              action="Write"
              disabled={wasJson && json.error !== undefined}
              onAction={async () => {
                await change('PUT', path, new Blob([wasJson ? JSON.stringify(json.value) : (text ?? '')], { type: wasJson ? 'application/json' : 'text/plain' }), headers);
                toast('ok', `${v.key} is written`);
                value.reload();
              }}
            >
              <p>The service that owns it does not know of the change. It is refused when somebody else changes the value in between.</p>
              <Field label="Value">
                <textarea className={kit['area']} rows={16} value={text ?? ''} onChange={(e) => setText(e.target.value)} spellCheck={false} />
              </Field>
              {wasJson && json.error && <p className={kit['note']}>No JSON: {json.error}</p>}
            </Dialog>
            <Dialog
              title={`Delete ${v.key}?`}
              open={isDropping}
              onClose={() => setDropping(false)}
              action="Delete"
              danger
              onAction={async () => {
                await change('DELETE', path, undefined, headers);
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
