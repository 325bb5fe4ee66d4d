import { createContext, use, useCallback, useEffect, useId, useMemo, useRef, useState, type AnchorHTMLAttributes, type ButtonHTMLAttributes, type ReactNode } from 'react';
import { messageOf } from '../api/api';
import type { Loaded } from '../api/hooks';
import type { Role, Session } from '../api/types';
import { pretty, tokens, unwrap } from '../lib/json';
import { navigate } from '../router';
import css from './kit.module.css';

export { css as kit };
export const cx = (...names: (string | false | null | undefined)[]): string => names.filter(Boolean).join(' ');

export type Tone = 'ok' | 'warn' | 'bad' | 'wait' | 'idle';

const tones: Record<string, Tone> = {
  healthy: 'ok', completed: 'ok', succeeded: 'ok', ok: 'ok', closed: 'ok', CONFIRMED: 'ok', SHIPPED: 'ok', DELIVERED: 'ok',
  running: 'wait', open: 'wait', pending: 'wait', starting: 'wait', waiting: 'wait', restarting: 'warn', stopping: 'warn', PENDING: 'wait',
  unhealthy: 'warn', suspended: 'warn', halfOpen: 'warn', stalled: 'bad', warn: 'warn',
  failed: 'bad', error: 'bad', problem: 'bad', crashed: 'bad', terminated: 'bad', CANCELLED: 'idle', stopped: 'idle', happened: 'idle',
};
export const toneOf = (state: string): Tone => tones[state] ?? tones[state.toLowerCase()] ?? 'idle';

/** A colour and a word: never the colour alone. */
export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <span className={cx(css['badge'], css[tone])}>{children}</span>;
}

export function Panel({ title, note, tools, flush, children, id }: { title?: ReactNode; note?: ReactNode; tools?: ReactNode; flush?: boolean; children: ReactNode; id?: string }) {
  const heading = useId();
  return (
    <section className={css['panel']} aria-labelledby={title ? heading : undefined} id={id}>
      {title && (
        <div className={css['panelHead']}>
          <h2 id={heading}>{title}</h2>
          {(note || tools) && <div className={css['tools']}>{note && <span className={css['note']}>{note}</span>}{tools}</div>}
        </div>
      )}
      <div className={flush ? css['flush'] : css['panelBody']}>{children}</div>
    </section>
  );
}

export function Button({ kind, pressed, className, ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: 'primary' | 'danger' | 'quiet'; pressed?: boolean }) {
  return <button type="button" {...rest} aria-pressed={pressed} className={cx(css['button'], kind && css[kind], pressed && css['pressed'], className)} />;
}

/** A link within the console: opened here, unless the reader wants another tab. */
export function Link({ to, button, className, onClick, ...rest }: Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> & { to: string; button?: boolean }) {
  return (
    <a
      {...rest}
      href={to}
      className={cx(button && css['button'], className) || undefined}
      onClick={(e) => {
        onClick?.(e);
        if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
        e.preventDefault();
        navigate(to);
      }}
    />
  );
}

export function ErrorBox({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className={css['error']} role="alert">
      <span>{messageOf(error)}</span>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

export const Empty = ({ children }: { children: ReactNode }) => <p className={css['empty']}>{children}</p>;

export function Skeleton({ rows = 5 }: { rows?: number }) {
  return (
    <div className={css['skeleton']} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} />
      ))}
    </div>
  );
}

/** What every panel does with what it loads: a skeleton, an error of its own with a retry, or the content. */
export function Content<T>({ of, rows, children }: { of: Loaded<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (of.data !== undefined)
    return (
      <>
        {of.error !== undefined && <ErrorBox error={of.error} retry={of.reload} />}
        {children(of.data)}
      </>
    );
  return of.error !== undefined ? <ErrorBox error={of.error} retry={of.reload} /> : <Skeleton rows={rows ?? 5} />;
}

export function Json({ value, label }: { value: unknown; label?: string }) {
  const text = useMemo(() => pretty(value), [value]);
  const isText = typeof unwrap(value) === 'string';
  if (text === '') return <Empty>empty</Empty>;
  return (
    <pre className={css['json']} tabIndex={0} role="group" aria-label={label ?? 'value'}>
      {isText || text.length > 100_000 ? text : tokens(text).map((t, i) => (t.kind === 'plain' ? t.text : <span key={i} className={css[t.kind]}>{t.text}</span>))}
    </pre>
  );
}

export function Copy({ text, what }: { text: string; what: string }) {
  const toast = useToast();
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => toast('ok', `Copied the ${what}`),
      () => toast('bad', 'The browser does not let me copy'),
    );
  };
  return (
    <button type="button" className={css['copy']} onClick={copy} aria-label={`Copy the ${what}`} title={`Copy the ${what}`}>
      <svg width="12" height="12" viewBox="0 0 12 12" fill="none" stroke="currentColor" strokeWidth="1.4" aria-hidden="true">
        <rect x="1" y="3.5" width="7" height="7.5" rx="1" />
        <path d="M4 3.5V1h7v7.5H8" />
      </svg>
    </button>
  );
}

export function Facts({ of }: { of: (readonly [string, ReactNode] | false | null | undefined)[] }) {
  return (
    <dl className={css['facts']}>
      {of.map((fact) => fact && fact[1] !== null && fact[1] !== undefined && fact[1] !== '' && [<dt key={`${fact[0]}-`}>{fact[0]}</dt>, <dd key={fact[0]}>{fact[1]}</dd>])}
    </dl>
  );
}

export function PageHead({ title, children }: { title: ReactNode; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  // A page that came after the focus was put into its place is heard by its heading.
  useEffect(() => {
    if (document.activeElement?.id === 'main') heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div className={css['pageHead']}>
      <h1 ref={heading} tabIndex={-1}>{title}</h1>
      {children && <div className={css['tools']}>{children}</div>}
    </div>
  );
}

export function Field({ label, children }: { label: string; children: ReactNode }) {
  return (
    <label className={css['field']}>
      <span>{label}</span>
      {children}
    </label>
  );
}

/** Columns of a table that scrolls sideways within itself. */
export function Table({ head, label, children }: { head: (string | { text: string; num?: boolean })[]; label: string; children: ReactNode }) {
  return (
    <div className={css['tableWrap']} tabIndex={0} role="group" aria-label={label}>
      <table className={css['table']}>
        <thead>
          <tr>
            {head.map((h, i) => {
              const { text, num } = typeof h === 'string' ? { text: h, num: false } : h;
              return text ? (
                <th key={text} scope="col" className={num ? css['num'] : undefined}>{text}</th>
              ) : (
                <td key={i} />
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export interface DialogProps {
  title: string;
  open: boolean;
  onClose: () => void;
  children?: ReactNode;
  /** Text of the button that does it; without, the dialog only shows. */
  action?: string;
  danger?: boolean;
  onAction?: () => Promise<unknown>;
  disabled?: boolean;
}

/** The browser's own dialog: it keeps the focus inside. It leaves the page when it closes, so the focus is given back here. */
export function Dialog({ title, open, onClose, children, action, danger, onAction, disabled }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    if (!open) return undefined;
    const before = document.activeElement;
    element.current?.showModal();
    setError(undefined);
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, [open]);
  const act = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await onAction?.();
      onClose();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  if (!open) return null;
  return (
    <dialog ref={element} className={css['dialog']} aria-labelledby={heading} onClose={onClose} onCancel={onClose}>
      <form
        method="dialog"
        onSubmit={(e) => {
          e.preventDefault();
          if (action && !disabled && !busy) void act();
        }}
      >
        <h2 id={heading}>{title}</h2>
        <div className={css['dialogBody']}>
          {children}
          {error !== undefined && <ErrorBox error={error} />}
        </div>
        <div className={css['dialogFoot']}>
          <Button onClick={onClose}>{action ? 'Cancel' : 'Close'}</Button>
          {action && (
            <button type="submit" disabled={disabled} aria-disabled={busy || undefined} className={cx(css['button'], danger ? css['danger'] : css['primary'])}>
              {action}
            </button>
          )}
        </div>
      </form>
    </dialog>
  );
}

type Say = (tone: Tone, text: string) => void;
const ToastContext = createContext<Say>(() => undefined);
export const useToast = (): Say => use(ToastContext);

export function Toasts({ children }: { children: ReactNode }) {
  const [shown, setShown] = useState<{ id: number; tone: Tone; text: string }[]>([]);
  const next = useRef(0);
  const say = useCallback<Say>((tone, text) => {
    const id = next.current++;
    setShown((s) => [...s.slice(-3), { id, tone, text }]);
    setTimeout(() => setShown((s) => s.filter((t) => t.id !== id)), tone === 'bad' ? 10_000 : 4000);
  }, []);
  return (
    <ToastContext value={say}>
      {children}
      <div className={css['toasts']} role="status" aria-live="polite">
        {shown.map((t) => (
          <div key={t.id} className={cx(css['toast'], css[t.tone])}>{t.text}</div>
        ))}
      </div>
    </ToastContext>
  );
}

export const SessionContext = createContext<Session>({ signInRequired: false, signedIn: false, role: 'admin', version: '' });
const ranks: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 };

/** Whether who looks may do what this role does. */
export function useMay(role: Role): boolean {
  const session = use(SessionContext);
  if (!session.signInRequired && !session.role) return true;
  return ranks[session.role ?? 'viewer'] >= ranks[role];
}

/** A button that changes something: says how it went, and is off while it runs and for whom it is not. */
export function Act({ role, run, done, kind, children, label, disabled }: { role: Role; run: () => Promise<unknown>; done?: string; kind?: 'primary' | 'danger' | 'quiet'; children: ReactNode; label?: string; disabled?: boolean }) {
  const toast = useToast();
  const may = useMay(role);
  const [busy, setBusy] = useState(false);
  const act = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    try {
      await run();
      if (done) toast('ok', done);
    } catch (e) {
      toast('bad', messageOf(e));
    } finally {
      setBusy(false);
    }
  };
  return (
    // Not disabled while it runs: the focus would be lost.
    <Button kind={kind} disabled={!may || disabled} aria-disabled={busy || undefined} onClick={() => void act()} aria-label={label} title={may ? undefined : `Needs the role ${role}`}>
      {children}
    </Button>
  );
}
