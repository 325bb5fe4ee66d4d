import { useCallback, useEffect, useEffectEvent, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { ApiError, get, type Query } from './api';
import { hub, type LiveState, type Topic } from './stream';
import { withFirst } from '../lib/pages';
import type { Area, ChangedLists, Page } from './types';

export interface Loaded<T> {
  data: T | undefined;
  error: unknown;
  loading: boolean;
  reload: () => void;
  /** Changes what is shown without asking again: for what the stream brings. */
  set: (change: (data: T | undefined) => T | undefined) => void;
}

/** Null as path loads nothing. What was loaded stays visible while it is loaded again. */
export function useLoad<T>(path: string | null, query?: Query): Loaded<T> {
  const key = path === null ? null : JSON.stringify([path, query ?? {}]);
  const [state, setState] = useState<{ key: string | null; data: T | undefined; error: unknown; loading: boolean }>({ key, data: undefined, error: undefined, loading: key !== null });
  const [round, setRound] = useState(0);

  useEffect(() => {
    if (key === null) return undefined;
    const abort = new AbortController();
    const [p, q] = JSON.parse(key) as [string, Query];
    setState((s) => ({ key, data: s.key === key ? s.data : undefined, error: s.key === key ? s.error : undefined, loading: true }));
    get<T>(p, q, abort.signal).then(
      (data) => setState({ key, data, error: undefined, loading: false }),
      (error: unknown) => {
        if (!abort.signal.aborted) setState((s) => ({ ...s, key, error, loading: false }));
      },
    );
    return () => abort.abort();
  }, [key, round]);

  const reload = useCallback(() => setRound((r) => r + 1), []);
  const set = useCallback((change: (data: T | undefined) => T | undefined) => setState((s) => ({ ...s, data: change(s.data) })), []);
  const isCurrent = state.key === key;
  return useMemo(
    () => ({ data: isCurrent ? state.data : undefined, error: isCurrent ? state.error : undefined, loading: isCurrent ? state.loading : key !== null, reload, set }),
    [isCurrent, state, key, reload, set],
  );
}

export const isMissing = (error: unknown): boolean => error instanceof ApiError && error.status === 404;

export function useLive(topics: readonly Topic[], onMessage: (topic: Topic, data: unknown) => void, onReset?: () => void, filters?: Query): void {
  const message = useEffectEvent(onMessage);
  const reset = useEffectEvent(() => onReset?.());
  const key = JSON.stringify([topics, filters ?? null]);
  useEffect(() => {
    const [wanted, with_] = JSON.parse(key) as [Topic[], Query | null];
    if (wanted.length === 0) return undefined;
    return hub.subscribe({ topics: wanted, filters: with_ ?? undefined, onMessage: (t, d) => message(t, d), onReset: () => reset() });
  }, [key]);
}

/**
 * Loads anew when the runtime says that a list of these areas has changed; one load at a time, and once more when something changed meanwhile.
 * @param store Of the area `state`: only changes of this store count.
 */
export function useChanges(areas: readonly Area[], loaded: { loading: boolean; reload: () => void }, store?: string): void {
  const isDue = useRef(false);
  const { loading, reload } = loaded;
  const due = (): void => {
    if (loading) isDue.current = true;
    else reload();
  };
  useLive(
    ['changes'],
    (_, data) => {
      const changed = data as ChangedLists;
      if (changed.areas.some((a) => areas.includes(a) && (a !== 'state' || store === undefined || changed.stores.includes(store)))) due();
    },
    due,
  );
  useEffect(() => {
    if (loading || !isDue.current) return;
    isDue.current = false;
    reload();
  }, [loading, reload]);
}

export interface Paged<T> {
  items: T[];
  /** There is more behind the last item. */
  hasMore: boolean;
  loading: boolean;
  error: unknown;
  more: () => void;
  /** Loads the first page anew; what was loaded behind it stays. */
  reload: () => void;
}

/** A list that is loaded page by page. What was loaded stays visible while another is loaded. `keyOf` must be the same function each time. */
export function usePaged<T>(path: string, query: Query, keyOf: (item: T) => string): Paged<T> {
  const key = JSON.stringify([path, query]);
  const [state, setState] = useState<{ key: string; items: T[]; next: string | null; loading: boolean; error: unknown }>({ key, items: [], next: null, loading: true, error: undefined });
  const [round, setRound] = useState(0);
  const isBusy = useRef(false);

  useEffect(() => {
    const abort = new AbortController();
    const [p, q] = JSON.parse(key) as [string, Query];
    setState((s) => ({ ...s, loading: true, error: undefined }));
    get<Page<T>>(p, q, abort.signal).then(
      (page) => setState((s) => ({ key, ...(s.key === key ? withFirst(s, page, keyOf) : { items: page.items, next: page.next ?? null }), loading: false, error: undefined })),
      (error: unknown) => {
        if (!abort.signal.aborted) setState((s) => ({ ...s, key, loading: false, error }));
      },
    );
    return () => abort.abort();
  }, [key, round, keyOf]);

  const { next } = state;
  const more = useCallback(() => {
    if (next === null || isBusy.current) return;
    const [p, q] = JSON.parse(key) as [string, Query];
    isBusy.current = true;
    get<Page<T>>(p, { ...q, after: next })
      .then(
        (page) => setState((s) => (s.key === key && s.next === next ? { ...s, items: [...s.items, ...page.items], next: page.next ?? null } : s)),
        (error: unknown) => setState((s) => ({ ...s, error })),
      )
      .finally(() => {
        isBusy.current = false;
      });
  }, [key, next]);
  const reload = useCallback(() => setRound((r) => r + 1), []);
  return { items: state.items, hasMore: next !== null, loading: state.loading, error: state.error, more, reload };
}

/** Calls once when a time has come that the server has named. */
export function useAt(at: string | null | undefined, then: () => void): void {
  const act = useEffectEvent(then);
  useEffect(() => {
    if (!at) return undefined;
    // Clocks differ a little; a timer takes at most 24 days.
    const timer = setTimeout(() => act(), Math.min(2 ** 31 - 1, Math.max(1000, Date.parse(at) - Date.now() + 100)));
    return () => clearTimeout(timer);
  }, [at]);
}

const subscribeState = (listener: () => void): (() => void) => hub.onState(listener);
const readState = (): LiveState => hub.state;
export const useLiveState = (): LiveState => useSyncExternalStore(subscribeState, readState);

/** The time, again every so often: for "4 s ago". One timer for the whole page. */
const clock = { now: Date.now(), listeners: new Set<() => void>(), timer: 0 };
const subscribeClock = (listener: () => void): (() => void) => {
  clock.listeners.add(listener);
  if (clock.listeners.size === 1) {
    clock.now = Date.now();
    clock.timer = window.setInterval(() => {
      clock.now = Date.now();
      for (const l of clock.listeners) l();
    }, 1000);
  }
  return () => {
    clock.listeners.delete(listener);
    if (clock.listeners.size === 0) clearInterval(clock.timer);
  };
};
const readClock = (): number => clock.now;
export const useNow = (): number => useSyncExternalStore(subscribeClock, readClock);

/** The value, once it has rested: for text fields that search. */
export function useRested<T>(value: T, ms = 250): T {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return rested;
}

/** Width and height of an element as it is laid out. */
export function useSize<E extends Element>(): [(element: E | null) => void, { width: number; height: number }] {
  const [size, setSize] = useState({ width: 0, height: 0 });
  const observer = useRef<ResizeObserver | null>(null);
  const ref = useCallback((element: E | null) => {
    observer.current?.disconnect();
    if (!element) return;
    observer.current = new ResizeObserver(([entry]) => {
      if (entry) setSize((s) => (s.width === entry.contentRect.width && s.height === entry.contentRect.height ? s : { width: entry.contentRect.width, height: entry.contentRect.height }));
    });
    observer.current.observe(element);
  }, []);
  return [ref, size];
}
