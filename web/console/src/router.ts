import { useCallback, useSyncExternalStore } from 'react';

// The history API is router enough for a dozen of pages.
const listeners = new Set<() => void>();
const changed = (): void => {
  for (const listener of listeners) listener();
};

export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  changed();
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  if (listeners.size === 1) addEventListener('popstate', changed);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) removeEventListener('popstate', changed);
  };
};

export const usePath = (): string => useSyncExternalStore(subscribe, () => location.pathname);
const useSearch = (): string => useSyncExternalStore(subscribe, () => location.search);

/** Filters live in the address: a link to what one sees, and the back button. */
export function useParameters(): [URLSearchParams, (change: Record<string, string | readonly string[] | null>) => void] {
  const search = useSearch();
  const set = useCallback((change: Record<string, string | readonly string[] | null>) => {
    const next = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(change)) {
      next.delete(name);
      if (Array.isArray(value)) for (const one of value as readonly string[]) next.append(name, one);
      else if (value) next.set(name, value as string);
    }
    const text = next.toString();
    navigate(location.pathname + (text ? `?${text}` : ''), { replace: true });
  }, []);
  return [new URLSearchParams(search), set];
}

/** The decoded parts of a path, or null: `/workflows/:app/:id`. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/');
  const given = path.replace(/\/$/, '').split('/');
  if (wanted.length !== given.length) return null;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const actual = given[index]!;
    if (part.startsWith(':')) {
      try {
        found[part.slice(1)] = decodeURIComponent(actual);
      } catch {
        return null;
      }
    } else if (part !== actual) return null;
  }
  return found;
}
