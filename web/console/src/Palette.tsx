import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { jumps, type Target } from './lib/jump';
import { sections } from './pages/dapr/sections';
import { navigate } from './router';
import css from './Palette.module.css';

const pages: Target[] = [
  { label: 'Home', hint: 'apps, events, business', to: '/' },
  { label: 'Workflows', hint: 'orders and other instances', to: '/workflows' },
  { label: 'Running workflows', hint: 'list', to: '/workflows?status=running' },
  { label: 'Failed workflows', hint: 'list', to: '/workflows?status=failed' },
  { label: 'Traces', hint: 'list', to: '/traces' },
  { label: 'Traces with errors', hint: 'list', to: '/traces?errors=true' },
  { label: 'Logs', hint: 'all apps', to: '/logs' },
  { label: 'Errors in the logs', hint: 'all apps', to: '/logs?level=error' },
  { label: 'Metrics', hint: 'charts of the last hour', to: '/metrics' },
  { label: 'Audit', hint: 'who changed what', to: '/audit' },
  ...sections.map((s): Target => ({ label: s.label, hint: 'Dapr', to: `/dapr/${s.id}` })),
];

/** Type an order, a trace, an app or a page; Enter goes there. */
export function Palette({ onClose, apps }: { onClose: () => void; apps: readonly string[] }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const list = useId();
  const found = useMemo(() => jumps(text, [...pages, ...apps.map((a): Target => ({ label: a, hint: 'its logs', to: `/logs?app=${a}` }))]).slice(0, 12), [text, apps]);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  useEffect(() => {
    dialog.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);

  const go = (target: Target | undefined): void => {
    if (!target) return;
    onClose();
    navigate(target.to);
  };
  const keys = (e: KeyboardEvent): void => {
    if (e.key === 'ArrowDown') setChosen((c) => Math.min(found.length - 1, c + 1));
    else if (e.key === 'ArrowUp') setChosen((c) => Math.max(0, c - 1));
    else if (e.key === 'Enter') go(found[chosen]);
    else return;
    e.preventDefault();
  };
  return (
    <dialog ref={dialog} className={css['dialog']} aria-label="Jump to" onClose={onClose} onClick={(e) => e.target === dialog.current && onClose()}>
      <input
        className={css['input']}
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={found[chosen] ? `${list}-${chosen}` : undefined}
        aria-label="An order, a trace, an app or a page"
        placeholder="Order, trace, app, page…"
        spellCheck={false}
        autoComplete="off"
        value={text}
        onChange={(e) => {
          setText(e.target.value);
          setChosen(0);
        }}
        onKeyDown={keys}
      />
      <div className={css['list']} role="listbox" id={list} aria-label="Places">
        {found.map((t, i) => (
          <div key={`${t.to} ${t.hint}`} id={`${list}-${i}`} role="option" aria-selected={i === chosen} className={css['option']} onClick={() => go(t)} onMouseMove={() => setChosen(i)}>
            <span>{t.label}</span>
            <span>{t.hint}</span>
          </div>
        ))}
      </div>
    </dialog>
  );
}
