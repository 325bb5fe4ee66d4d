import { type AnchorHTMLAttributes, type MouseEvent, useEffect, useLayoutEffect, useRef, useSyncExternalStore } from 'react'

export interface Place {
  readonly path: string
  readonly search: string
  /** Of the entry in the history. */
  readonly key: string
}

const listeners = new Set<() => void>()
const positions = new Map<string, number>()
let place = read()

function read(): Place {
  const { pathname, search } = window.location
  return { path: pathname, search, key: (window.history.state as { key?: string } | null)?.key ?? 'first' }
}

function arrive(): void {
  positions.set(place.key, window.scrollY)
  place = read()
  for (const listener of listeners) listener()
}

window.history.scrollRestoration = 'manual'
window.addEventListener('popstate', arrive)

export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  const state = { key: Math.random().toString(36).slice(2) }
  positions.set(place.key, window.scrollY)
  if (replace) window.history.replaceState(state, '', to)
  else window.history.pushState(state, '', to)
  arrive()
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export const usePlace = (): Place => useSyncExternalStore(subscribe, () => place)

/** The parameters of the address, and a way to change some of them. */
export function useQuery(): [URLSearchParams, (changes: Record<string, string | undefined>, replace?: boolean) => void] {
  const { path, search } = usePlace()
  const change = (changes: Record<string, string | undefined>, replace = false) => {
    const next = new URLSearchParams(window.location.search)
    for (const [name, value] of Object.entries(changes)) {
      if (value) next.set(name, value)
      else next.delete(name)
    }
    const text = next.toString()
    navigate(text ? `${path}?${text}` : path, { replace })
  }
  return [new URLSearchParams(search), change]
}

/** Where the focus goes when what had it is no longer there: the next thing is said and reached from the top of the page. */
export const focusHeading = (): void => (document.querySelector<HTMLElement>('main h1') ?? document.querySelector('main'))?.focus({ preventScroll: true })

/** Back goes to where one was, everything else begins at the top; a screen reader hears the new page by its heading. */
export function useArrival(): void {
  const { key, path, search } = usePlace()
  // Another page of a list is another page: the button that led there may be gone.
  const cursor = new URLSearchParams(search).get('cursor')
  const first = useRef(true)
  useLayoutEffect(() => {
    window.scrollTo(0, positions.get(key) ?? 0)
  }, [key])
  useEffect(() => {
    if (first.current) first.current = false
    else focusHeading()
  }, [path, cursor])
}

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { to: string }

export function Link({ to, onClick, ...rest }: LinkProps) {
  const { path } = usePlace()
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event)
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    navigate(to)
  }
  return <a aria-current={to === path ? 'page' : undefined} {...rest} href={to} onClick={follow} />
}

/** `/orders/:id` against a path: the values by name, or null. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/')
  const given = path.replace(/(.)\/$/, '$1').split('/')
  if (wanted.length !== given.length) return null
  const found: Record<string, string> = {}
  for (let i = 0; i < wanted.length; i++) {
    const name = wanted[i]!
    if (!name.startsWith(':')) {
      if (name !== given[i]) return null
      continue
    }
    try {
      found[name.slice(1)] = decodeURIComponent(given[i]!)
    } catch {
      return null
    }
  }
  return found
}
