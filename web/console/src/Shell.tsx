import { createContext, use, useEffect, useRef, useState, type ReactNode } from 'react';
import { change } from './api/api';
import { useLive, useLiveState, useLoad, type Loaded } from './api/hooks';
import type { Status } from './api/types';
import { count } from './lib/format';
import { Palette } from './Palette';
import { Act, Button, cx, Link, SessionContext, toneOf } from './ui/kit';
import css from './Shell.module.css';

const StatusContext = createContext<Loaded<Status> | null>(null);
/** What runs: loaded once for the whole console, kept by the stream. */
export const useStatus = (): Loaded<Status> => use(StatusContext)!;

const places: [to: string, label: string][] = [
  ['/', 'Home'],
  ['/workflows', 'Workflows'],
  ['/traces', 'Traces'],
  ['/logs', 'Logs'],
  ['/dapr', 'Dapr'],
  ['/metrics', 'Metrics'],
  ['/audit', 'Audit'],
];

const liveWords = { live: 'Live', connecting: 'Connecting', waiting: 'Reconnecting' } as const;

export function Shell({ path, onSignedOut, children }: { path: string; onSignedOut: () => void; children: ReactNode }) {
  const status = useLoad<Status>('/status');
  const [deadCount, setDeadCount] = useState<number>();
  const [isOpen, setOpen] = useState(false);
  const live = useLiveState();
  const main = useRef<HTMLElement>(null);
  const session = use(SessionContext);

  useLive(
    ['status', 'deadLetters'],
    (topic, data) => {
      if (topic === 'status') status.set(() => data as Status);
      else setDeadCount((data as { count: number }).count);
    },
    status.reload,
  );

  useEffect(() => {
    const open = (e: KeyboardEvent): void => {
      if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k') {
        e.preventDefault();
        setOpen((o) => !o);
      }
    };
    addEventListener('keydown', open);
    return () => removeEventListener('keydown', open);
  }, []);

  // A new page begins at its top, for the eyes and for the keyboard; the first one is left as the browser has it.
  const [shown, setShown] = useState(path);
  useEffect(() => {
    if (shown === path) return;
    setShown(path);
    // While its code is on the way, the page before is still there and hidden.
    const heading = main.current?.querySelector<HTMLElement>('h1');
    (heading && heading.getClientRects().length > 0 ? heading : main.current)?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [path, shown]);

  const letters = deadCount ?? 0;
  const apps = status.data?.apps ?? [];
  return (
    <StatusContext value={status}>
      <div className={css['shell']}>
        <a className={css['skip']} href="#main">Skip to the content</a>
        <header className={css['head']}>
          <Link to="/" className={css['brand']}>
            <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
              <path d="M5 9h10M9 16h15M17 23h10" stroke="var(--accent)" strokeWidth="4.5" />
              <path d="M20.5 4v24" stroke="var(--warn)" strokeWidth="2" />
            </svg>
            Console
          </Link>
          <nav className={css['lamps']} aria-label="Apps">
            {apps.map((a) => (
              <Link key={a.app} to={`/logs?app=${a.app}`} className={cx(css['lamp'], css[toneOf(a.state)])} title={`${a.app}: ${a.state}${a.note ? `, ${a.note}` : ''}`} data-off={a.state === 'healthy' ? undefined : ''} aria-label={`${a.app}, ${a.state}: its logs`}>
                <i aria-hidden="true" />
                {a.app}
              </Link>
            ))}
          </nav>
          <div className={css['side']}>
            <span className={cx(css['live'], live === 'live' ? css['ok'] : css['warn'])} data-state={live} role="status" aria-label={liveWords[live]} title={liveWords[live]}>
              <span aria-hidden="true">{liveWords[live]}</span>
            </span>
            <button type="button" className={css['jump']} onClick={() => setOpen(true)} aria-haspopup="dialog">
              Jump to <kbd aria-hidden="true">Ctrl K</kbd>
            </button>
            <Theme />
            {session.signInRequired && (
              <Act role="viewer" kind="quiet" label={`Sign ${session.name} out`} run={() => change('DELETE', '/session').then(onSignedOut)}>
                {session.name} · sign out
              </Act>
            )}
          </div>
        </header>
        <nav className={css['nav']} aria-label="Pages">
          <ul>
            {places.map(([to, label]) => (
              <li key={to}>
                <Link to={to} aria-current={(to === '/' ? path === '/' || path === '/status' : path === to || path.startsWith(`${to}/`) || (to === '/workflows' && path.startsWith('/order/'))) ? 'page' : undefined}>
                  {label}
                  {to === '/dapr' && letters > 0 && (
                    <span className={css['countOf']} title={`${count(letters)} dead letters`}>
                      {count(letters)}
                      <span hidden> dead letters</span>
                    </span>
                  )}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <main id="main" className={css['main']} ref={main} tabIndex={-1}>
          {children}
        </main>
        {isOpen && <Palette onClose={() => setOpen(false)} apps={apps.map((a) => a.app)} />}
      </div>
    </StatusContext>
  );
}

/** Dark, light, or as the system says: kept in the browser. */
function Theme() {
  const [theme, setTheme] = useState(() => localStorage.getItem('theme') ?? 'system');
  useEffect(() => {
    if (theme === 'system') {
      delete document.documentElement.dataset['theme'];
      localStorage.removeItem('theme');
    } else {
      document.documentElement.dataset['theme'] = theme;
      localStorage.setItem('theme', theme);
    }
  }, [theme]);
  const next = { system: 'dark', dark: 'light', light: 'system' }[theme] ?? 'system';
  return (
    <Button kind="quiet" onClick={() => setTheme(next)} aria-label={`Colours: ${theme}. Change to ${next}`} title={`Colours: ${theme}`}>
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="1.4">
        <circle cx="8" cy="8" r="5.5" />
        {theme !== 'light' && <path d="M8 2.5v11a5.5 5.5 0 0 0 0-11Z" fill="currentColor" />}
        {theme === 'dark' && <path d="M8 2.5v11a5.5 5.5 0 0 1 0-11Z" fill="currentColor" />}
      </svg>
    </Button>
  );
}
